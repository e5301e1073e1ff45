//! What looks like something milder, or like something else, and is understood as what AWS would do: which operation,
//! and what is sent.

use crate::Request;

/// What is tried, the request, the operation, and what is sent: method, path and query.
type Disguise = (&'static str, Request, &'static str, &'static str);

fn paths() -> Vec<Disguise> {
    let function = |name: &str| Request::rest("lambda", "GET", &format!("/2015-03-31/functions/{name}"));
    vec![
        (
            "fixed text under escapes",
            Request::rest("lambda", "DELETE", "/2015-03-31/%66unctions/f"),
            "lambda:DeleteFunction",
            "DELETE /2015-03-31/functions/f",
        ),
        ("small hexadecimal digits", function("a%3ab"), "lambda:GetFunction", "GET /2015-03-31/functions/a%3Ab"),
        (
            "dot segments under two escapes",
            function("%252e%252e"),
            "lambda:GetFunction",
            "GET /2015-03-31/functions/%252e%252e",
        ),
        (
            "a slash inside a label",
            function("f%2Fconfiguration"),
            "lambda:GetFunction",
            "GET /2015-03-31/functions/f%2Fconfiguration",
        ),
        ("parameters of a path", function("f;v=1"), "lambda:GetFunction", "GET /2015-03-31/functions/f%3Bv%3D1"),
        ("a backslash", function("..\\x"), "lambda:GetFunction", "GET /2015-03-31/functions/..%5Cx"),
        ("a null character", function("f%00x"), "lambda:GetFunction", "GET /2015-03-31/functions/f%00x"),
        ("a plus sign", Request::rest("s3", "GET", "/b/a+b"), "s3:GetObject", "GET /b/a%2Bb"),
        (
            "a key of slashes and dots",
            Request::rest("s3", "DELETE", "/b//../x/."),
            "s3:DeleteObject",
            "DELETE /b//../x/.",
        ),
        (
            "a key like an API's path",
            Request { host_prefix: "b", ..Request::rest("s3", "GET", "/v20180820/jobs") },
            "s3:GetObject",
            "GET /b/v20180820/jobs",
        ),
        (
            "a key like the gateway's own",
            Request { host_prefix: "b", ..Request::rest("s3", "GET", "/_/v1/health") },
            "s3:GetObject",
            "GET /b/_/v1/health",
        ),
    ]
}

fn queries() -> Vec<Disguise> {
    let object = |method, query| Request::rest("s3", method, "/b/k").query(query);
    vec![
        ("a subresource under escapes", object("GET", "%61cl"), "s3:GetObjectAcl", "GET /b/k?acl"),
        ("a subresource with an equals sign", object("PUT", "acl="), "s3:PutObjectAcl", "PUT /b/k?acl"),
        (
            "empty members around a subresource",
            object("DELETE", "&&tagging&"),
            "s3:DeleteObjectTagging",
            "DELETE /b/k?tagging",
        ),
        ("a semicolon in a value", object("GET", "versionId=1;acl"), "s3:GetObject", "GET /b/k?versionId=1%3Bacl"),
        ("an ampersand in a value", object("GET", "versionId=1%26acl"), "s3:GetObject", "GET /b/k?versionId=1%26acl"),
        (
            "all objects of a bucket",
            Request::rest("s3", "POST", "/b").query("delete").body("<Delete/>"),
            "s3:DeleteObjects",
            "POST /b?delete",
        ),
        (
            "an action in the query",
            Request { method: "GET", ..Request::new("iam") }.query("Version=2010-05-08&UserName=a&%41ction=DeleteUser"),
            "iam:DeleteUser",
            "POST /",
        ),
        (
            "a queue's path beside its URL",
            Request {
                path: "/123456789012/a".to_owned(),
                ..Request::form(
                    "sqs",
                    "Action=DeleteQueue&Version=2012-11-05&QueueUrl=https%3A%2F%2Fsqs.eu-central-1.amazonaws.com%2F1%2Fb",
                )
            },
            "sqs:DeleteQueue",
            "POST /",
        ),
    ]
}

fn headers() -> Vec<Disguise> {
    let put = || Request::rest("s3", "PUT", "/b/k");
    vec![
        ("a write that is a copy", put().header("x-amz-copy-source", "a/b"), "s3:CopyObject", "PUT /b/k"),
        (
            "a part that is a copy",
            put().query("partNumber=1&uploadId=u").header("x-amz-copy-source", "a/b"),
            "s3:UploadPartCopy",
            "PUT /b/k?partNumber=1&uploadId=u",
        ),
        (
            "a write that moves",
            put().query("renameObject").header("x-amz-rename-source", "/b/j"),
            "s3:RenameObject",
            "PUT /b/k?renameObject",
        ),
        (
            "headers that mean another method or host to some",
            [
                ("x-http-method-override", "DELETE"),
                ("x-http-method", "DELETE"),
                ("x-method-override", "DELETE"),
                ("x-original-url", "/b/other"),
                ("x-rewrite-url", "/b/other"),
                ("x-forwarded-host", "evil.example"),
                ("x-forwarded-prefix", "/b"),
                ("forwarded", "host=evil.example"),
                ("transfer-encoding", "chunked"),
                ("connection", "x-amz-acl"),
                ("expect", "100-continue"),
                ("trailer", "x-amz-acl"),
                ("te", "trailers"),
                ("upgrade", "h2c"),
                ("cookie", "a=b"),
                ("authorization", "AWS4-HMAC-SHA256 x"),
                ("host", "evil.example"),
            ]
            .into_iter()
            .fold(Request::rest("s3", "GET", "/b/k"), |request, (name, value)| request.header(name, value)),
            "s3:GetObject",
            "GET /b/k",
        ),
    ]
}

#[test]
fn each_disguise_is_seen_through() {
    let mut wrong = Vec::new();
    for (name, request, operation, sent) in [paths(), queries(), headers()].into_iter().flatten() {
        let call = match request.understand() {
            Ok(call) => call,
            Err(refusal) => {
                wrong.push(format!("{name}: {refusal}"));
                continue;
            }
        };
        let out = &call.outgoing;
        let query = if out.query.is_empty() { String::new() } else { format!("?{}", out.query) };
        let found = (format!("{}:{}", call.service, call.operation), format!("{} {}{query}", out.method, out.path));
        if (found.0.as_str(), found.1.as_str()) != (operation, sent) {
            wrong.push(format!("{name}: {found:?}"));
        }
        // Whatever is not a member of the input stays behind.
        let known = ["accept", "content-type", "x-amz-copy-source", "x-amz-rename-source"];
        for (header, _) in out.headers.iter().filter(|(header, _)| !known.contains(&header.as_str())) {
            let is_checksum = header.starts_with("x-amz-checksum-");
            if !is_checksum {
                wrong.push(format!("{name}: the header {header} is sent"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
