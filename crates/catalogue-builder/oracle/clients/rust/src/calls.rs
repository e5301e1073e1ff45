//! Calls of the services that are called by name: each minimal, and with as much as a call may hold.

use std::error::Error;

use aws_smithy_types::{Blob, DateTime};
use serde_json::json;

use crate::{Recorder, Style, client};

pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// Text with what formats treat specially.
pub(crate) const TEXT: &str = "text <a> & \"b\" 'ü' +/=%";
const ROLE: &str = "arn:aws:iam::123456789012:role/some-role";

/// json 1.0.
pub(crate) async fn dynamodb(recorder: &Recorder) -> Outcome {
    use aws_sdk_dynamodb::types::{AttributeValue, KeysAndAttributes, Put, ReturnValue, TransactWriteItem, Update};
    let client = client!(recorder, "dynamodb", aws_sdk_dynamodb);
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let send = client.get_item().table_name("t").key("pk", text("a")).send();
    recorder
        .record("dynamodb", "GetItem", "minimal", json!({"TableName": "t", "Key": {"pk": {"S": "a"}}}), send)
        .await?;
    let list = AttributeValue::L(vec![
        AttributeValue::Bool(true),
        AttributeValue::Null(true),
        AttributeValue::N("1.5".into()),
    ]);
    let send = client
        .put_item()
        .table_name("t")
        .item("pk", text(TEXT))
        .item("b", AttributeValue::B(Blob::new(b"\x00\xff")))
        .item("l", list)
        .item("s", AttributeValue::Ss(vec!["x".into(), "y".into()]))
        .condition_expression("attribute_not_exists(#k)")
        .expression_attribute_names("#k", "pk")
        .return_values(ReturnValue::AllOld)
        .send();
    let params = json!({
        "TableName": "t",
        "Item": {
            "pk": {"S": TEXT}, "b": {"B": "AP8="}, "s": {"SS": ["x", "y"]},
            "l": {"L": [{"BOOL": true}, {"NULL": true}, {"N": "1.5"}]},
        },
        "ConditionExpression": "attribute_not_exists(#k)", "ExpressionAttributeNames": {"#k": "pk"}, "ReturnValues": "ALL_OLD",
    });
    recorder.record("dynamodb", "PutItem", "full", params, send).await?;
    let keys =
        KeysAndAttributes::builder().keys([("pk".to_owned(), text("a"))].into()).consistent_read(true).build()?;
    let send = client.batch_get_item().request_items("t", keys).send();
    let params = json!({"RequestItems": {"t": {"Keys": [{"pk": {"S": "a"}}], "ConsistentRead": true}}});
    recorder.record("dynamodb", "BatchGetItem", "full", params, send).await?;
    let put = Put::builder().table_name("t").item("pk", text("a")).build()?;
    let update = Update::builder().table_name("u").key("pk", text("b")).update_expression("SET a = :a");
    let update = update.expression_attribute_values(":a", AttributeValue::N("7".into())).build()?;
    let send = client
        .transact_write_items()
        .client_request_token("token")
        .transact_items(TransactWriteItem::builder().put(put).build())
        .transact_items(TransactWriteItem::builder().update(update).build())
        .send();
    let params = json!({
        "ClientRequestToken": "token",
        "TransactItems": [
            {"Put": {"TableName": "t", "Item": {"pk": {"S": "a"}}}},
            {"Update": {
                "TableName": "u", "Key": {"pk": {"S": "b"}}, "UpdateExpression": "SET a = :a",
                "ExpressionAttributeValues": {":a": {"N": "7"}},
            }},
        ],
    });
    recorder.record("dynamodb", "TransactWriteItems", "full", params, send).await?;
    let send = client.list_tables().send();
    recorder.record("dynamodb", "ListTables", "minimal", json!({}), send).await?;
    let send = client
        .restore_table_to_point_in_time()
        .target_table_name("t")
        .source_table_name("s")
        .restore_date_time(DateTime::from_millis(1_772_600_767_250))
        .send();
    let params = json!({"TargetTableName": "t", "SourceTableName": "s", "RestoreDateTime": "2026-03-04T05:06:07.250Z"});
    recorder.record("dynamodb", "RestoreTableToPointInTime", "full", params, send).await
}

/// json 1.1.
pub(crate) async fn kms(recorder: &Recorder) -> Outcome {
    use aws_sdk_kms::types::{DataKeySpec, EncryptionAlgorithmSpec, Tag};
    let client = client!(recorder, "kms", aws_sdk_kms);
    let send = client.list_keys().send();
    recorder.record("kms", "ListKeys", "minimal", json!({}), send).await?;
    let send = client
        .encrypt()
        .key_id("alias/some-key")
        .plaintext(Blob::new(b"\x00\xffplain"))
        .encryption_context("k", TEXT)
        .grant_tokens("g")
        .encryption_algorithm(EncryptionAlgorithmSpec::SymmetricDefault)
        .dry_run(true)
        .send();
    let params = json!({
        "KeyId": "alias/some-key", "Plaintext": "AP9wbGFpbg==", "EncryptionContext": {"k": TEXT}, "GrantTokens": ["g"],
        "EncryptionAlgorithm": "SYMMETRIC_DEFAULT", "DryRun": true,
    });
    recorder.record("kms", "Encrypt", "full", params, send).await?;
    let send = client.generate_data_key().key_id("k").key_spec(DataKeySpec::Aes256).send();
    recorder.record("kms", "GenerateDataKey", "full", json!({"KeyId": "k", "KeySpec": "AES_256"}), send).await?;
    let tag = Tag::builder().tag_key("k").tag_value(TEXT).build()?;
    let send = client.create_key().description(TEXT).policy("{\"a\":1}").tags(tag).multi_region(false).send();
    let params = json!({
        "Description": TEXT, "Policy": "{\"a\":1}", "Tags": [{"TagKey": "k", "TagValue": TEXT}], "MultiRegion": false,
    });
    recorder.record("kms", "CreateKey", "full", params, send).await?;
    let send = client.schedule_key_deletion().key_id("k").pending_window_in_days(7).send();
    recorder.record("kms", "ScheduleKeyDeletion", "full", json!({"KeyId": "k", "PendingWindowInDays": 7}), send).await
}

/// query.
pub(crate) async fn sts(recorder: &Recorder) -> Outcome {
    use aws_sdk_sts::types::{PolicyDescriptorType, Tag};
    let client = client!(recorder, "sts", aws_sdk_sts);
    let send = client.get_caller_identity().send();
    recorder.record("sts", "GetCallerIdentity", "minimal", json!({}), send).await?;
    let send = client
        .assume_role()
        .role_arn(ROLE)
        .role_session_name("some-session")
        .policy_arns(PolicyDescriptorType::builder().arn("arn:aws:iam::aws:policy/ReadOnlyAccess").build())
        .policy("{\"a\": \"b+c &d\"}")
        .duration_seconds(900)
        .tags(Tag::builder().key("k").value(TEXT).build()?)
        .transitive_tag_keys("k")
        .source_identity("someone")
        .send();
    let params = json!({
        "RoleArn": ROLE, "RoleSessionName": "some-session", "PolicyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}],
        "Policy": "{\"a\": \"b+c &d\"}", "DurationSeconds": 900, "Tags": [{"Key": "k", "Value": TEXT}],
        "TransitiveTagKeys": ["k"], "SourceIdentity": "someone",
    });
    recorder.record("sts", "AssumeRole", "full", params, send).await?;
    let send = client
        .assume_role_with_web_identity()
        .role_arn(ROLE)
        .role_session_name("s2")
        .web_identity_token("t.o.k")
        .send();
    let params = json!({"RoleArn": ROLE, "RoleSessionName": "s2", "WebIdentityToken": "t.o.k"});
    recorder.record("sts", "AssumeRoleWithWebIdentity", "minimal", params, send).await
}

/// query, with maps and blobs.
pub(crate) async fn sns(recorder: &Recorder) -> Outcome {
    use aws_sdk_sns::types::{MessageAttributeValue, PublishBatchRequestEntry};
    const TOPIC: &str = "arn:aws:sns:eu-central-1:123456789012:some-topic";
    let client = client!(recorder, "sns", aws_sdk_sns);
    let send = client.list_topics().send();
    recorder.record("sns", "ListTopics", "minimal", json!({}), send).await?;
    let text = MessageAttributeValue::builder().data_type("String").string_value(TEXT).build()?;
    let bytes = MessageAttributeValue::builder().data_type("Binary").binary_value(Blob::new(b"\x00\xff")).build()?;
    let send = client
        .publish()
        .topic_arn(TOPIC)
        .message(TEXT)
        .subject("s")
        .message_attributes("text", text)
        .message_attributes("bytes", bytes)
        .send();
    let params = json!({
        "TopicArn": TOPIC, "Message": TEXT, "Subject": "s",
        "MessageAttributes": {
            "text": {"DataType": "String", "StringValue": TEXT}, "bytes": {"DataType": "Binary", "BinaryValue": "AP8="},
        },
    });
    recorder.record("sns", "Publish", "full", params, send).await?;
    let entry = |id: &str| PublishBatchRequestEntry::builder().id(id).message(TEXT).build();
    let send = client
        .publish_batch()
        .topic_arn(TOPIC)
        .publish_batch_request_entries(entry("1")?)
        .publish_batch_request_entries(entry("2")?)
        .send();
    let params = json!({
        "TopicArn": TOPIC, "PublishBatchRequestEntries": [{"Id": "1", "Message": TEXT}, {"Id": "2", "Message": TEXT}],
    });
    recorder.record("sns", "PublishBatch", "full", params, send).await?;
    let send = client.create_topic().name("t").attributes("DisplayName", TEXT).attributes("FifoTopic", "false").send();
    let params = json!({"Name": "t", "Attributes": {"DisplayName": TEXT, "FifoTopic": "false"}});
    recorder.record("sns", "CreateTopic", "full", params, send).await
}

/// json 1.0, with host prefixes.
pub(crate) async fn sfn(recorder: &Recorder) -> Outcome {
    const MACHINE: &str = "arn:aws:states:eu-central-1:123456789012:stateMachine:m";
    let client = client!(recorder, "stepfunctions", aws_sdk_sfn);
    let send = client.list_state_machines().max_results(7).send();
    recorder.record("stepfunctions", "ListStateMachines", "minimal", json!({"maxResults": 7}), send).await?;
    let send = client.start_execution().state_machine_arn(MACHINE).name("n").input("{\"a\": \"ü\"}").send();
    let params = json!({"stateMachineArn": MACHINE, "name": "n", "input": "{\"a\": \"ü\"}"});
    recorder.record("stepfunctions", "StartExecution", "full", params, send).await?;
    // It goes to `sync-` and the host; nothing stands before the endpoint of a service.
    if recorder.style != Style::Service {
        let send = client.start_sync_execution().state_machine_arn(MACHINE).input("{}").send();
        let params = json!({"stateMachineArn": MACHINE, "input": "{}"});
        recorder.record("stepfunctions", "StartSyncExecution", "full", params, send).await?;
    }
    let send = client.send_task_success().task_token("t").output("{}").send();
    recorder
        .record("stepfunctions", "SendTaskSuccess", "minimal", json!({"taskToken": "t", "output": "{}"}), send)
        .await
}

/// rest-json.
pub(crate) async fn sesv2(recorder: &Recorder) -> Outcome {
    use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message, MessageTag, RawMessage};
    let client = client!(recorder, "sesv2", aws_sdk_sesv2);
    let send = client.list_email_identities().page_size(7).next_token("a b&c=ü").send();
    recorder
        .record("sesv2", "ListEmailIdentities", "full", json!({"PageSize": 7, "NextToken": "a b&c=ü"}), send)
        .await?;
    let send = client.get_email_identity().email_identity("a+b/c@example.com").send();
    recorder
        .record("sesv2", "GetEmailIdentity", "minimal", json!({"EmailIdentity": "a+b/c@example.com"}), send)
        .await?;
    let content = || Content::builder().data(TEXT).charset("UTF-8").build();
    let message = Message::builder().subject(content()?).body(Body::builder().text(content()?).build()).build();
    let send = client
        .send_email()
        .from_email_address("f@example.com")
        .destination(Destination::builder().to_addresses("t@example.com").build())
        .content(EmailContent::builder().simple(message).build())
        .email_tags(MessageTag::builder().name("n").value("v").build()?)
        .send();
    let content = json!({"Data": TEXT, "Charset": "UTF-8"});
    let params = json!({
        "FromEmailAddress": "f@example.com", "Destination": {"ToAddresses": ["t@example.com"]},
        "Content": {"Simple": {"Subject": content, "Body": {"Text": content}}},
        "EmailTags": [{"Name": "n", "Value": "v"}],
    });
    recorder.record("sesv2", "SendEmail", "full", params, send).await?;
    let raw = RawMessage::builder().data(Blob::new(b"\x00\xff")).build()?;
    let send = client.send_email().content(EmailContent::builder().raw(raw).build()).send();
    recorder.record("sesv2", "SendEmail", "minimal", json!({"Content": {"Raw": {"Data": "AP8="}}}), send).await?;
    let send = client.delete_suppressed_destination().email_address("x y@example.com").send();
    recorder
        .record("sesv2", "DeleteSuppressedDestination", "minimal", json!({"EmailAddress": "x y@example.com"}), send)
        .await
}
