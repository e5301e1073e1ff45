//! Calls of S3: rest-xml, streams, buckets in paths and in hosts.

use std::error::Error;

use aws_sdk_s3::{
    primitives::ByteStream,
    types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart, Delete, ObjectIdentifier, Tag, Tagging},
};
use aws_smithy_types::DateTime;
use serde_json::json;

use crate::{Recorder, Style, client};

/// A key with what paths treat specially.
const KEY: &str = "a b/ü+c//d%2F..e?f#g";

pub(crate) async fn s3(recorder: &Recorder) -> Result<(), Box<dyn Error>> {
    let client = match recorder.style {
        Style::Path | Style::Service => client!(recorder, "s3", aws_sdk_s3, |config| config.force_path_style(true)),
        Style::Aws | Style::Gateway => client!(recorder, "s3", aws_sdk_s3),
    };
    let send = client.list_buckets().send();
    recorder.record("s3", "ListBuckets", "minimal", json!({}), send).await?;
    let send = client.get_object().bucket("my-bucket").key(KEY).send();
    recorder.record("s3", "GetObject", "minimal", json!({"Bucket": "my-bucket", "Key": KEY}), send).await?;
    let send = client
        .get_object()
        .bucket("my-bucket")
        .key(KEY)
        .range("bytes=0-9")
        .if_modified_since(DateTime::from_secs(1_772_600_767))
        .response_content_type("text/plain; x=\"y z\"")
        .send();
    let params = json!({
        "Bucket": "my-bucket", "Key": KEY, "Range": "bytes=0-9", "IfModifiedSince": "2026-03-04T05:06:07Z",
        "ResponseContentType": "text/plain; x=\"y z\"",
    });
    recorder.record("s3", "GetObject", "full", params, send).await?;
    let send = client
        .put_object()
        .bucket("my-bucket")
        .key(KEY)
        .body(ByteStream::from_static(b"\x00\xffbytes"))
        .metadata("name", "value one")
        .content_type("text/plain")
        .bucket_key_enabled(true)
        .checksum_algorithm(ChecksumAlgorithm::Sha256)
        .send();
    let params = json!({
        "Bucket": "my-bucket", "Key": KEY, "Body": "AP9ieXRlcw==", "Metadata": {"name": "value one"},
        "ContentType": "text/plain", "BucketKeyEnabled": true, "ChecksumAlgorithm": "SHA256",
    });
    recorder.record("s3", "PutObject", "full", params, send).await?;
    let send = client.put_object().bucket("my-bucket").key("k").body(ByteStream::from_static(b"x")).send();
    recorder
        .record("s3", "PutObject", "minimal", json!({"Bucket": "my-bucket", "Key": "k", "Body": "eA=="}), send)
        .await?;
    let send = client.copy_object().bucket("my-bucket").key("k").copy_source("source-bucket/source-key").send();
    let params = json!({"Bucket": "my-bucket", "Key": "k", "CopySource": "source-bucket/source-key"});
    recorder.record("s3", "CopyObject", "minimal", params, send).await?;
    let object = |key: &str| ObjectIdentifier::builder().key(key).build();
    let delete = Delete::builder().objects(object("a<b>")?).objects(object("c & d")?).quiet(true).build()?;
    let send = client.delete_objects().bucket("my-bucket").delete(delete).send();
    let params =
        json!({"Bucket": "my-bucket", "Delete": {"Objects": [{"Key": "a<b>"}, {"Key": "c & d"}], "Quiet": true}});
    recorder.record("s3", "DeleteObjects", "full", params, send).await?;
    let send = client.list_objects_v2().bucket("my-bucket").prefix("a b/ü&=").delimiter("/").max_keys(7).send();
    let params = json!({"Bucket": "my-bucket", "Prefix": "a b/ü&=", "Delimiter": "/", "MaxKeys": 7});
    recorder.record("s3", "ListObjectsV2", "full", params, send).await?;
    let tag = Tag::builder().key("k <").value("v & w").build()?;
    let tagging = Tagging::builder().tag_set(tag).build()?;
    let send = client.put_object_tagging().bucket("my-bucket").key(KEY).tagging(tagging).send();
    let params = json!({"Bucket": "my-bucket", "Key": KEY, "Tagging": {"TagSet": [{"Key": "k <", "Value": "v & w"}]}});
    recorder.record("s3", "PutObjectTagging", "full", params, send).await?;
    let upload = client.upload_part().bucket("my-bucket").key("k").upload_id("u/v").part_number(3);
    let send = upload.body(ByteStream::from_static(b"part")).send();
    let params = json!({"Bucket": "my-bucket", "Key": "k", "UploadId": "u/v", "PartNumber": 3, "Body": "cGFydA=="});
    recorder.record("s3", "UploadPart", "minimal", params, send).await?;
    let part = CompletedPart::builder().part_number(3).e_tag("\"e\"").build();
    let upload = CompletedMultipartUpload::builder().parts(part).build();
    let send = client
        .complete_multipart_upload()
        .bucket("my-bucket")
        .key("k")
        .upload_id("u/v")
        .multipart_upload(upload)
        .send();
    let params = json!({
        "Bucket": "my-bucket", "Key": "k", "UploadId": "u/v",
        "MultipartUpload": {"Parts": [{"PartNumber": 3, "ETag": "\"e\""}]},
    });
    recorder.record("s3", "CompleteMultipartUpload", "full", params, send).await?;
    let send = client.delete_object().bucket("my-bucket").key("k").bypass_governance_retention(true).send();
    let params = json!({"Bucket": "my-bucket", "Key": "k", "BypassGovernanceRetention": true});
    recorder.record("s3", "DeleteObject", "full", params, send).await?;
    let send = client.head_bucket().bucket("my-bucket").send();
    recorder.record("s3", "HeadBucket", "minimal", json!({"Bucket": "my-bucket"}), send).await
}
