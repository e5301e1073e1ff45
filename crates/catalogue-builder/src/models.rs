//! Reads botocore's service models into the form that the catalogue uses.

use std::collections::{BTreeSet, HashMap};

use countersign_catalogue::model::{
    EndpointTable, Location, Member, MemberTraits, ModelledError, Namespace, Operation, OperationTraits, Partition,
    SCALARS, ServiceModel, Shape, Shapes, Signing, Structure, Text, TimeFormat,
};
use countersign_domain::Protocol;
use serde_json::Value;

use crate::endpoint_rules::Rules;
use crate::tables::Tables;
use crate::{BuildError, endpoints};

/// Text that lives as long as the builder: a short process, and the models share little.
pub fn leak(text: &str) -> Text {
    if text.is_empty() { "" } else { Box::leak(text.to_owned().into_boxed_str()) }
}

/// What the tables call the parts of lists and maps.
const ITEM: &str = "[]";
const KEY: &str = "{key}";
const VALUE: &str = "{value}";

/// Reads one service.
pub struct ServiceReader<'a> {
    id: &'a str,
    model: &'a Value,
    tables: &'a mut Tables,
    numbers: HashMap<String, usize>,
    waiting: Vec<String>,
    namespaces: Vec<Namespace>,
}

impl<'a> ServiceReader<'a> {
    /// A reader of `model`, the service in botocore's directory `id`.
    pub fn new(id: &'a str, model: &'a Value, tables: &'a mut Tables) -> Self {
        Self { id, model, tables, numbers: HashMap::new(), waiting: Vec::new(), namespaces: Vec::new() }
    }

    /// The whole service.
    ///
    /// # Errors
    /// [`BuildError`] when the model holds something that is not known here.
    pub fn read(
        mut self,
        rule_set: &Value,
        partitions: &Value,
        all_endpoints: &Value,
    ) -> Result<ServiceModel, BuildError> {
        let places: Vec<Partition> = endpoints::partitions(partitions);
        let rules = Rules::new(rule_set, partitions);
        let metadata = &self.model["metadata"];
        let text = |name: &str| metadata[name].as_str().unwrap_or_default();

        let scopes = endpoints::global_scopes(all_endpoints, text("endpointPrefix"));
        let mut tables: Vec<(Text, _)> = Vec::new();
        let mut operations = Vec::new();
        for (name, operation) in sorted(&self.model["operations"]) {
            let context = endpoints::static_context(self.model, operation);
            let choices = endpoints::choices(self.id, self.model, operation);
            let key = endpoints::context_key(&context, &choices);
            let place = match tables.iter().position(|(known, _)| *known == key) {
                Some(place) => place,
                None => {
                    tables.push((key, endpoints::table(&rules, &places, &context, &choices, &scopes)?));
                    tables.len() - 1
                }
            };
            operations.push(self.operation(name, operation, place)?);
        }
        let errors = self.errors();
        let shapes = self.shapes()?;
        Ok(ServiceModel {
            id: leak(self.id),
            service_id: leak(text("serviceId")),
            full_name: leak(text("serviceFullName")),
            api_version: leak(text("apiVersion")),
            signing_name: leak(metadata["signingName"].as_str().unwrap_or_else(|| text("endpointPrefix"))),
            protocols: self.protocols()?,
            target_prefix: leak(text("targetPrefix")),
            json_version: leak(text("jsonVersion")),
            query_compatible: metadata.get("awsQueryCompatible").is_some(),
            signing: match text("signatureVersion") {
                "v4" | "s3" | "s3v4" => Signing::SigV4,
                // Import/Export says v2, and its endpoint rules name SigV4.
                "v2" if tables.iter().any(|(_, table)| names_signer(table)) => Signing::SigV4,
                "v2" => Signing::SigV2,
                "bearer" => Signing::Bearer,
                other => return Err(self.unknown(&format!("signature version `{other}`"))),
            },
            xml_namespace: leak(text("xmlNamespace")),
            access_denied: self.access_denied(),
            operations,
            errors,
            shapes,
            endpoints: tables.into_iter().map(|(_, table)| table).collect(),
            namespaces: self.namespaces,
        })
    }

    fn unknown(&self, what: &str) -> BuildError {
        BuildError::Model { service: self.id.to_owned(), what: what.to_owned() }
    }

    fn protocols(&self) -> Result<Vec<Protocol>, BuildError> {
        let metadata = &self.model["metadata"];
        let listed: Vec<&str> =
            metadata["protocols"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let names = if listed.is_empty() { vec![metadata["protocol"].as_str().unwrap_or_default()] } else { listed };
        let mut protocols = Vec::new();
        for name in names {
            protocols.push(match name {
                "json" => Protocol::Json,
                "query" => Protocol::Query,
                "ec2" => Protocol::Ec2,
                "rest-json" => Protocol::RestJson,
                "rest-xml" => Protocol::RestXml,
                "smithy-rpc-v2-cbor" => Protocol::RpcV2Cbor,
                other => return Err(self.unknown(&format!("protocol `{other}`"))),
            });
        }
        // SQS clients before the change of protocol in late 2023 speak query, and AWS still answers.
        if self.id == "sqs" && !protocols.contains(&Protocol::Query) {
            protocols.push(Protocol::Query);
        }
        Ok(protocols)
    }

    /// The code that the service itself uses for a denial, where it models one.
    fn access_denied(&self) -> Text {
        let known = ["AccessDeniedException", "AccessDenied", "UnauthorizedOperation", "AuthorizationErrorException"];
        let shapes = &self.model["shapes"];
        let found = known.iter().find_map(|name| {
            let shape = &shapes[*name];
            shape["exception"].as_bool().filter(|is| *is).map(|_| shape["error"]["code"].as_str().unwrap_or(name))
        });
        leak(found.unwrap_or_default())
    }

    fn operation(&mut self, name: &str, operation: &Value, endpoint: usize) -> Result<Operation, BuildError> {
        let text = |value: &Value| leak(value.as_str().unwrap_or_default());
        let input = self.target(&operation["input"]);
        let output = self.target(&operation["output"]);
        let checksum = &operation["httpChecksum"];
        Ok(Operation {
            // CloudFront puts a date into its inner names; clients and IAM go by the outer ones.
            name: leak(name),
            method: text(&operation["http"]["method"]),
            uri: text(&operation["http"]["requestUri"]),
            input,
            output,
            input_root: text(&operation["input"]["locationName"]),
            input_namespace: self.namespace(&operation["input"]["xmlNamespace"]),
            result_wrapper: match operation["output"]["resultWrapper"].as_str() {
                Some(wrapper) => leak(wrapper),
                // What the model had when clients spoke query to SQS.
                None if self.id == "sqs" && output.is_some() => leak(&format!("{name}Result")),
                None => "",
            },
            host_prefix: text(&operation["endpoint"]["hostPrefix"]),
            status: operation["http"]["responseCode"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or(200),
            endpoint,
            checksum_member: text(&checksum["requestAlgorithmMember"]),
            traits: self.operation_traits(operation),
        })
    }

    /// Every error that an operation names, once.
    fn errors(&mut self) -> Vec<ModelledError> {
        let model = self.model;
        let operations = sorted(&model["operations"]);
        let named = operations.iter().flat_map(|(_, operation)| operation["errors"].as_array().into_iter().flatten());
        let names: BTreeSet<&str> = named.filter_map(|error| error["shape"].as_str()).collect();
        let code = |name: &str| leak(model["shapes"][name]["error"]["code"].as_str().unwrap_or(name));
        names.into_iter().map(|name| ModelledError { code: code(name), shape: self.number(name) }).collect()
    }

    fn operation_traits(&self, operation: &Value) -> OperationTraits {
        let yes = |value: &Value| value == &Value::Bool(true);
        let payload_shape = |side: &str| {
            let shape = &self.model["shapes"][operation[side]["shape"].as_str().unwrap_or_default()];
            let events = shape["members"].as_object().into_iter().flatten().any(|(_, member)| {
                yes(&self.model["shapes"][member["shape"].as_str().unwrap_or_default()]["eventstream"])
            });
            let payload = &shape["members"][shape["payload"].as_str().unwrap_or_default()];
            let target = &self.model["shapes"][payload["shape"].as_str().unwrap_or_default()];
            let stream = target["type"] == "blob" && (yes(&payload["streaming"]) || yes(&target["streaming"]));
            (events, stream)
        };
        let unsigned = operation["authtype"] == "none"
            || operation["auth"].as_array().into_iter().flatten().any(|scheme| scheme == "smithy.api#noAuth");
        let (event_input, _) = payload_shape("input");
        let (event_output, stream_output) = payload_shape("output");
        let required =
            yes(&operation["httpChecksumRequired"]) || yes(&operation["httpChecksum"]["requestChecksumRequired"]);
        let traits = [
            (unsigned, OperationTraits::UNSIGNED),
            (yes(&operation["unsignedPayload"]), OperationTraits::UNSIGNED_PAYLOAD),
            (yes(&operation["readonly"]), OperationTraits::READ_ONLY),
            (yes(&operation["idempotent"]), OperationTraits::IDEMPOTENT),
            (required, OperationTraits::CHECKSUM_REQUIRED),
            (operation.get("requestcompression").is_some(), OperationTraits::COMPRESSION),
            (event_output, OperationTraits::EVENT_OUTPUT),
            (event_input, OperationTraits::EVENT_INPUT),
            (stream_output, OperationTraits::STREAM_OUTPUT),
            (yes(&operation["endpointoperation"]), OperationTraits::ENDPOINT_OPERATION),
            (yes(&operation["deprecated"]), OperationTraits::DEPRECATED),
        ];
        OperationTraits(traits.iter().filter(|(set, _)| *set).fold(0, |bits, (_, bit)| bits | bit))
    }

    fn target(&mut self, reference: &Value) -> Option<usize> {
        reference["shape"].as_str().map(|name| self.number(name))
    }

    /// The number of a shape; a new one is put on the list of those to be read.
    fn number(&mut self, name: &str) -> usize {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let shape = &self.model["shapes"][name];
        let document = shape["document"] == Value::Bool(true);
        let scalar = scalar(shape["type"].as_str().unwrap_or_default(), document);
        if let Some(number) = scalar.and_then(|scalar| SCALARS.iter().position(|known| *known == scalar)) {
            return number;
        }
        let number = SCALARS.len() + self.waiting.len();
        self.numbers.insert(name.to_owned(), number);
        self.waiting.push(name.to_owned());
        number
    }

    fn shapes(&mut self) -> Result<Shapes, BuildError> {
        let mut own = Vec::new();
        while let Some(name) = self.waiting.get(own.len()).cloned() {
            own.push(self.shape(&name)?);
        }
        Ok(Shapes::of(own))
    }

    fn shape(&mut self, name: &str) -> Result<Shape, BuildError> {
        let model = self.model;
        let shape = &model["shapes"][name];
        Ok(match shape["type"].as_str().unwrap_or_default() {
            "structure" => Shape::Structure(self.structure(name, shape)?),
            "list" => Shape::List(Box::new(self.member(name, ITEM, &shape["member"], false)?)),
            "map" => Shape::Map {
                key: Box::new(self.member(name, KEY, &shape["key"], false)?),
                value: Box::new(self.member(name, VALUE, &shape["value"], false)?),
            },
            other => return Err(self.unknown(&format!("type `{other}` of `{name}`"))),
        })
    }

    fn structure(&mut self, name: &str, shape: &Value) -> Result<Structure, BuildError> {
        let required: Vec<&str> =
            shape["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut members = Vec::new();
        for (member, reference) in sorted(&shape["members"]) {
            members.push(self.member(name, member, reference, required.contains(&member.as_str()))?);
        }
        let payload = shape["payload"].as_str();
        Ok(Structure {
            payload: payload.and_then(|payload| members.iter().position(|member| member.name == payload)),
            members,
            event_stream: shape["eventstream"] == Value::Bool(true),
            union: shape["union"] == Value::Bool(true),
        })
    }

    /// A member; what its shape says of itself is merged in, and the member's own words win.
    fn member(&mut self, owner: &str, name: &str, reference: &Value, required: bool) -> Result<Member, BuildError> {
        let model = self.model;
        let shape_name = reference["shape"].as_str().unwrap_or_default();
        let shape = &model["shapes"][shape_name];
        let said = |trait_name: &str| match reference.get(trait_name) {
            Some(value) => value.clone(),
            None => shape.get(trait_name).cloned().unwrap_or(Value::Null),
        };
        let yes = |trait_name: &str| said(trait_name) == Value::Bool(true);
        let sensitive = yes("sensitive") || self.tables.sensitive.value(self.id, owner, name).is_some();
        let flat_name = self.tables.query_names.value(self.id, owner, name);
        let is_part = [ITEM, KEY, VALUE].contains(&name);
        let traits = [
            (required, MemberTraits::REQUIRED),
            (yes("idempotencyToken"), MemberTraits::IDEMPOTENCY_TOKEN),
            (yes("flattened") || (flat_name.is_some() && !is_part), MemberTraits::FLATTENED),
            (yes("xmlAttribute"), MemberTraits::XML_ATTRIBUTE),
            (yes("hostLabel"), MemberTraits::HOST_LABEL),
            (yes("jsonvalue"), MemberTraits::JSON_VALUE),
            (yes("streaming"), MemberTraits::STREAMING),
            (yes("eventpayload"), MemberTraits::EVENT_PAYLOAD),
            (yes("eventheader"), MemberTraits::EVENT_HEADER),
            (yes("event"), MemberTraits::EVENT),
            (sensitive, MemberTraits::SENSITIVE),
        ];
        Ok(Member {
            name: if is_part { "" } else { leak(name) },
            location_name: leak(said("locationName").as_str().unwrap_or_default()),
            shape: self.number(shape_name),
            location: match said("location").as_str() {
                None => Location::Body,
                Some("uri") => Location::Label,
                Some("querystring") => Location::Query,
                Some("header") => Location::Header,
                Some("headers") => Location::Headers,
                Some("statusCode") => Location::Status,
                Some(other) => return Err(self.unknown(&format!("location `{other}` of `{owner}.{name}`"))),
            },
            time: match said("timestampFormat").as_str() {
                None => TimeFormat::Default,
                Some("iso8601") => TimeFormat::Iso8601,
                Some("rfc822") => TimeFormat::Rfc822,
                Some("unixTimestamp") => TimeFormat::Unix,
                Some(other) => return Err(self.unknown(&format!("timestamp format `{other}`"))),
            },
            traits: MemberTraits(traits.iter().filter(|(set, _)| *set).fold(0, |bits, (_, bit)| bits | bit)),
            query_name: flat_name.unwrap_or_else(|| leak(reference["queryName"].as_str().unwrap_or_default())),
            namespace: match self.namespace(&said("xmlNamespace")).map(u16::try_from) {
                None => None,
                Some(Ok(place)) => Some(place),
                Some(Err(_)) => return Err(self.unknown("more XML namespaces than can be told apart")),
            },
        })
    }

    fn namespace(&mut self, value: &Value) -> Option<usize> {
        let (prefix, uri) = match value {
            Value::String(uri) => ("", uri.as_str()),
            Value::Object(parts) => (
                parts.get("prefix").and_then(Value::as_str).unwrap_or_default(),
                parts.get("uri").and_then(Value::as_str).unwrap_or_default(),
            ),
            _ => return None,
        };
        let known = self.namespaces.iter().position(|namespace| namespace.prefix == prefix && namespace.uri == uri);
        Some(known.unwrap_or_else(|| {
            self.namespaces.push(Namespace { prefix: leak(prefix), uri: leak(uri) });
            self.namespaces.len() - 1
        }))
    }
}

/// Whether the endpoint rules name whom to sign for.
fn names_signer(table: &EndpointTable) -> bool {
    let defaults = table.partitions.iter().filter_map(|partition| partition.default.as_ref());
    defaults.into_iter().any(|endpoint| !endpoint.signing_name.is_empty())
}

/// The shape of a type that has no parts.
fn scalar(kind: &str, document: bool) -> Option<Shape> {
    Some(match kind {
        "structure" if document => Shape::Document,
        "string" | "character" => Shape::Text,
        "blob" => Shape::Blob,
        "boolean" => Shape::Boolean,
        "integer" | "short" | "byte" => Shape::Integer,
        "long" => Shape::Long,
        "float" => Shape::Float,
        "double" => Shape::Double,
        "timestamp" => Shape::Timestamp,
        _ => return None,
    })
}

fn sorted(object: &Value) -> Vec<(&String, &Value)> {
    // serde_json's own map may keep insertion order, by a feature some other crate asks for.
    let mut entries: Vec<_> = object.as_object().into_iter().flatten().collect();
    entries.sort_by_key(|(name, _)| name.as_str());
    entries
}
