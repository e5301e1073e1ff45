//! Makes in the emulators what the template declares.

use std::collections::BTreeMap;

use bytes::Bytes;
use http_body_util::Full;
use serde_json::{Map, Value, json};

use crate::{
    error::StackError,
    template::{Template, resolve::Resolver, stack_resources::Declared},
    web::WebClient,
};

/// An emulator, spoken to as the account's administrator.
pub struct Admin<'a> {
    /// The client.
    pub client: &'a WebClient,
    /// The emulator's base URL.
    pub base: &'a str,
    /// The account.
    pub account: &'a str,
    /// The region.
    pub region: &'a str,
}

impl Admin<'_> {
    async fn send(
        &self,
        service: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> Result<Bytes, StackError> {
        let scope = format!("20000101/{}/{service}/aws4_request", self.region);
        let authorization =
            format!("AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders=host, Signature=none", self.account);
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("authorization", authorization)
            .header("x-amz-date", "20000101T000000Z");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request =
            request.body(Full::new(Bytes::from(body))).map_err(|error| StackError::Emulator(error.to_string()))?;
        let response = self.client.send(request).await.map_err(|error| StackError::Emulator(error.to_string()))?;
        if response.status().is_success() {
            return Ok(response.into_body());
        }
        let status = response.status();
        let said = String::from_utf8_lossy(response.body()).into_owned();
        Err(StackError::Emulator(format!("{service} {method} {path} {headers:?}: {status} {said}")))
    }

    async fn json(&self, service: &str, target: &str, body: &Value) -> Result<Value, StackError> {
        let headers = [("x-amz-target", target), ("content-type", "application/x-amz-json-1.1")];
        let answer = self.send(service, "POST", "/", &headers, body.to_string()).await?;
        if answer.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&answer).map_err(|error| StackError::Emulator(format!("{target}: {error}")))
    }

    /// Makes every KMS key of the template; gives their ids by logical id. Keys come first, since
    /// only KMS can name them.
    ///
    /// # Errors
    /// [`StackError`] when the emulator refuses one.
    pub async fn keys(
        &self,
        template: &Template,
        logical_ids: &[String],
        resolver: &Resolver,
    ) -> Result<BTreeMap<String, String>, StackError> {
        let resources = template.section("Resources");
        let mut keys = BTreeMap::new();
        for logical_id in logical_ids {
            let properties = resources.get(logical_id).and_then(|body| body.get("Properties"));
            let mut wanted = Map::new();
            for name in ["Description", "KeySpec", "KeyUsage"] {
                if let Some(value) = properties.and_then(|properties| properties.get(name)) {
                    wanted.insert(name.to_owned(), Value::String(resolver.text(value)?));
                }
            }
            let answer = self.json("kms", "TrentService.CreateKey", &Value::Object(wanted)).await?;
            let id = answer.pointer("/KeyMetadata/KeyId").and_then(Value::as_str);
            let id = id.ok_or_else(|| StackError::Emulator(format!("{logical_id}: no key id in the answer")))?;
            keys.insert(logical_id.clone(), id.to_owned());
        }
        Ok(keys)
    }

    /// Makes the other resources that have a state: aliases, tables, buckets, topics, identities.
    ///
    /// # Errors
    /// [`StackError`] when the emulator refuses one.
    pub async fn resources(&self, declared: &[Declared], resolver: &Resolver) -> Result<(), StackError> {
        for resource in declared {
            let name =
                resolver.physical(&resource.logical_id).map(|physical| physical.reference.clone()).unwrap_or_default();
            match resource.kind.as_str() {
                "AWS::KMS::Alias" => {
                    let properties = &resource.properties;
                    let wanted = json!({ "AliasName": properties.get("AliasName"), "TargetKeyId": properties.get("TargetKeyId") });
                    self.json("kms", "TrentService.CreateAlias", &wanted).await?;
                }
                "AWS::DynamoDB::Table" => self.table(&name, &resource.properties).await?,
                "AWS::S3::Bucket" => self.bucket(&name, &resource.properties).await?,
                "AWS::SNS::Topic" => {
                    let topic = name.rsplit(':').next().unwrap_or_default();
                    self.query("sns", &format!("Action=CreateTopic&Version=2010-03-31&Name={topic}")).await?;
                }
                "AWS::SES::EmailIdentity" => self.identity(&name).await?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Verifies an address to send from and lifts the sandbox.
    ///
    /// # Errors
    /// [`StackError`] when the emulator refuses it.
    pub async fn identity(&self, address: &str) -> Result<(), StackError> {
        let json = [("content-type", "application/json")];
        let wanted = json!({ "EmailIdentity": address }).to_string();
        self.send("ses", "POST", "/v2/email/identities", &json, wanted).await?;
        let details = json!({ "ProductionAccessEnabled": true, "MailType": "TRANSACTIONAL", "WebsiteURL": "https://example.com" });
        self.send("ses", "POST", "/v2/email/account/details", &json, details.to_string()).await.map(|_| ())
    }

    async fn query(&self, service: &str, form: &str) -> Result<Bytes, StackError> {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        self.send(service, "POST", "/", &headers, form.to_owned()).await
    }

    async fn table(&self, name: &str, properties: &Map<String, Value>) -> Result<(), StackError> {
        let mut wanted = Map::from_iter([("TableName".to_owned(), json!(name))]);
        for copied in
            ["AttributeDefinitions", "KeySchema", "BillingMode", "GlobalSecondaryIndexes", "LocalSecondaryIndexes"]
        {
            wanted.extend(properties.get(copied).map(|value| (copied.to_owned(), value.clone())));
        }
        if let Some(view) = properties.get("StreamSpecification").and_then(|stream| stream.get("StreamViewType")) {
            wanted.insert("StreamSpecification".to_owned(), json!({ "StreamEnabled": true, "StreamViewType": view }));
        }
        self.json("dynamodb", "DynamoDB_20120810.CreateTable", &Value::Object(wanted)).await?;
        if let Some(lifetime) = properties.get("TimeToLiveSpecification") {
            let wanted = json!({ "TableName": name, "TimeToLiveSpecification": lifetime });
            self.json("dynamodb", "DynamoDB_20120810.UpdateTimeToLive", &wanted).await?;
        }
        Ok(())
    }

    async fn bucket(&self, name: &str, properties: &Map<String, Value>) -> Result<(), StackError> {
        let place = format!(
            "<CreateBucketConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><LocationConstraint>{}\
             </LocationConstraint></CreateBucketConfiguration>",
            self.region
        );
        self.send("s3", "PUT", &format!("/{name}"), &[], place).await?;
        let versioned = properties.get("VersioningConfiguration").and_then(|versioning| versioning.get("Status"));
        if versioned.and_then(Value::as_str) == Some("Enabled") {
            let body = "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>Enabled</Status>\
                        </VersioningConfiguration>";
            self.send("s3", "PUT", &format!("/{name}?versioning"), &[], body.to_owned()).await?;
        }
        Ok(())
    }

    /// Makes a state machine of the very definition, with its substitutions.
    ///
    /// # Errors
    /// [`StackError`] when the definition is refused.
    pub async fn state_machine(&self, name: &str, role_arn: &str, definition: &str) -> Result<String, StackError> {
        let wanted = json!({ "name": name, "roleArn": role_arn, "definition": definition, "type": "STANDARD" });
        let answer = self.json("states", "AWSStepFunctions.CreateStateMachine", &wanted).await?;
        let arn = answer.get("stateMachineArn").and_then(Value::as_str).map(str::to_owned);
        arn.ok_or_else(|| StackError::Emulator("the state machine has no ARN".to_owned()))
    }
}

/// Replaces `${Name}` in a definition, as SAM's `DefinitionSubstitutions` does.
///
/// # Errors
/// [`StackError::Template`] when a placeholder is left.
pub fn substituted(definition: &str, substitutions: &Map<String, Value>) -> Result<String, StackError> {
    let mut text = definition.to_owned();
    for (name, value) in substitutions {
        let value =
            value.as_str().ok_or_else(|| StackError::Template(format!("the substitution `{name}` is not text")))?;
        text = text.replace(&format!("${{{name}}}"), value);
    }
    match text.split_once("${").and_then(|(_, rest)| rest.split_once('}')) {
        Some((name, _)) => Err(StackError::Template(format!("nothing substitutes `${{{name}}}` in the definition"))),
        None => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_placeholder_must_be_replaced() {
        let substitutions = Map::from_iter([("A".to_owned(), json!("arn:a"))]);
        assert_eq!(
            substituted(r#"{"x":"${A}","y":"${A}"}"#, &substitutions).expect("text"),
            r#"{"x":"arn:a","y":"arn:a"}"#
        );
        assert!(substituted("${B}", &substitutions).is_err());
    }
}
