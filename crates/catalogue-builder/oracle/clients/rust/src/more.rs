//! Calls for the breadth of protocols: rpc-v2-cbor, both JSON ones, REST, forms.

use aws_smithy_types::{Blob, DateTime};
use serde_json::json;

use crate::{
    Recorder,
    calls::{Outcome, TEXT},
    client,
};

fn moment() -> DateTime {
    DateTime::from_secs(1_772_600_767)
}

const MOMENT_TEXT: &str = "2026-03-04T05:06:07Z";

/// rpc-v2-cbor, with floats, times, lists, and structures in them.
pub(crate) async fn cloudwatch(recorder: &Recorder) -> Outcome {
    use aws_sdk_cloudwatch::types::{
        ComparisonOperator, Dimension, Metric, MetricDataQuery, MetricDatum, MetricStat, StandardUnit, Statistic, Tag,
    };
    let client = client!(recorder, "cloudwatch", aws_sdk_cloudwatch);
    let send = client.list_metrics().send();
    recorder.record("cloudwatch", "ListMetrics", "minimal", json!({}), send).await?;
    let dimension = || Dimension::builder().name("d").value(TEXT).build();
    let datum = MetricDatum::builder().metric_name("m").dimensions(dimension()).timestamp(moment()).value(0.1);
    let datum = datum.unit(StandardUnit::Seconds).values(1.0).values(2.5).counts(3.0).counts(4.0).storage_resolution(1);
    let send =
        client.put_metric_data().namespace("n/s").metric_data(datum.build()).strict_entity_validation(true).send();
    let dimensions = json!([{"Name": "d", "Value": TEXT}]);
    let params = json!({
        "Namespace": "n/s", "StrictEntityValidation": true,
        "MetricData": [{
            "MetricName": "m", "Dimensions": dimensions, "Timestamp": MOMENT_TEXT, "Value": 0.1, "Unit": "Seconds",
            "Values": [1.0, 2.5], "Counts": [3.0, 4.0], "StorageResolution": 1,
        }],
    });
    recorder.record("cloudwatch", "PutMetricData", "full", params, send).await?;
    let send = client
        .put_metric_alarm()
        .alarm_name(TEXT)
        .actions_enabled(false)
        .alarm_actions("arn:aws:sns:eu-central-1:123456789012:t")
        .metric_name("m")
        .namespace("n")
        .statistic(Statistic::Average)
        .dimensions(dimension())
        .period(60)
        .evaluation_periods(2)
        .threshold(1e-3)
        .comparison_operator(ComparisonOperator::GreaterThanThreshold)
        .tags(Tag::builder().key("k").value("v").build())
        .send();
    let params = json!({
        "AlarmName": TEXT, "ActionsEnabled": false, "AlarmActions": ["arn:aws:sns:eu-central-1:123456789012:t"],
        "MetricName": "m", "Namespace": "n", "Statistic": "Average", "Dimensions": dimensions, "Period": 60,
        "EvaluationPeriods": 2, "Threshold": 0.001, "ComparisonOperator": "GreaterThanThreshold",
        "Tags": [{"Key": "k", "Value": "v"}],
    });
    recorder.record("cloudwatch", "PutMetricAlarm", "full", params, send).await?;
    let metric = Metric::builder().namespace("n").metric_name("m").build();
    let stat = MetricStat::builder().metric(metric).period(60).stat("p99").build();
    let query = MetricDataQuery::builder().id("q").metric_stat(stat).return_data(true).build();
    let send = client.get_metric_data().metric_data_queries(query).start_time(moment()).end_time(moment()).send();
    let params = json!({
        "MetricDataQueries": [{
            "Id": "q", "ReturnData": true,
            "MetricStat": {"Metric": {"Namespace": "n", "MetricName": "m"}, "Period": 60, "Stat": "p99"},
        }],
        "StartTime": MOMENT_TEXT, "EndTime": MOMENT_TEXT,
    });
    recorder.record("cloudwatch", "GetMetricData", "full", params, send).await?;
    let send = client.delete_alarms().alarm_names("a").alarm_names(TEXT).send();
    recorder.record("cloudwatch", "DeleteAlarms", "full", json!({"AlarmNames": ["a", TEXT]}), send).await
}

/// rpc-v2-cbor.
pub(crate) async fn arc_region_switch(recorder: &Recorder) -> Outcome {
    use aws_sdk_arcregionswitch::types::{Approval, ExecutionAction, ExecutionMode};
    const PLAN: &str = "arn:aws:arc-region-switch::123456789012:plan/some-plan:abc123";
    let client = client!(recorder, "arc-region-switch", aws_sdk_arcregionswitch);
    let send = client.list_plans().send();
    recorder.record("arc-region-switch", "ListPlans", "minimal", json!({}), send).await?;
    let send = client.get_plan().arn(PLAN).send();
    recorder.record("arc-region-switch", "GetPlan", "minimal", json!({"arn": PLAN}), send).await?;
    let send = client
        .start_plan_execution()
        .plan_arn(PLAN)
        .target_region("eu-central-1")
        .action(ExecutionAction::Activate)
        .mode(ExecutionMode::Graceful)
        .comment(TEXT)
        .send();
    let params = json!({
        "planArn": PLAN, "targetRegion": "eu-central-1", "action": "activate", "mode": "graceful", "comment": TEXT,
    });
    recorder.record("arc-region-switch", "StartPlanExecution", "full", params, send).await?;
    let send = client
        .approve_plan_execution_step()
        .plan_arn(PLAN)
        .execution_id("e")
        .step_name("s")
        .approval(Approval::Decline)
        .comment(TEXT)
        .send();
    let params = json!({
        "planArn": PLAN, "executionId": "e", "stepName": "s", "approval": "decline", "comment": TEXT,
    });
    recorder.record("arc-region-switch", "ApprovePlanExecutionStep", "full", params, send).await?;
    let send = client.tag_resource().arn(PLAN).tags("k", TEXT).tags("l", "v").send();
    let params = json!({"arn": PLAN, "tags": {"k": TEXT, "l": "v"}});
    recorder.record("arc-region-switch", "TagResource", "full", params, send).await
}

/// rpc-v2-cbor, with times in lists.
pub(crate) async fn health(recorder: &Recorder) -> Outcome {
    use aws_sdk_health::types::{DateTimeRange, EventFilter, EventStatusCode};
    let client = client!(recorder, "health", aws_sdk_health);
    let send = client.describe_event_types().send();
    recorder.record("health", "DescribeEventTypes", "minimal", json!({}), send).await?;
    let range = DateTimeRange::builder().from(moment()).to(DateTime::from_millis(1_772_600_767_250)).build();
    let filter = EventFilter::builder().services("EC2").regions("eu-central-1").start_times(range);
    let filter = filter.event_status_codes(EventStatusCode::Open).build();
    let send = client.describe_events().filter(filter).max_results(7).locale("en").send();
    let params = json!({
        "filter": {
            "services": ["EC2"], "regions": ["eu-central-1"], "eventStatusCodes": ["open"],
            "startTimes": [{"from": MOMENT_TEXT, "to": "2026-03-04T05:06:07.250Z"}],
        },
        "maxResults": 7, "locale": "en",
    });
    recorder.record("health", "DescribeEvents", "full", params, send).await
}

/// json 1.0, with maps of structures.
pub(crate) async fn sqs(recorder: &Recorder) -> Outcome {
    use aws_sdk_sqs::types::{MessageAttributeValue, QueueAttributeName, SendMessageBatchRequestEntry};
    const QUEUE: &str = "https://sqs.eu-central-1.amazonaws.com/123456789012/some-queue";
    let client = client!(recorder, "sqs", aws_sdk_sqs);
    let send = client.list_queues().send();
    recorder.record("sqs", "ListQueues", "minimal", json!({}), send).await?;
    let send = client
        .create_queue()
        .queue_name("some-queue")
        .attributes(QueueAttributeName::VisibilityTimeout, "7")
        .tags("k", TEXT)
        .send();
    let params = json!({"QueueName": "some-queue", "Attributes": {"VisibilityTimeout": "7"}, "tags": {"k": TEXT}});
    recorder.record("sqs", "CreateQueue", "full", params, send).await?;
    let bytes = MessageAttributeValue::builder().data_type("Binary").binary_value(Blob::new(b"\x00\xff")).build()?;
    let send =
        client.send_message().queue_url(QUEUE).message_body(TEXT).delay_seconds(3).message_attributes("b", bytes);
    let params = json!({
        "QueueUrl": QUEUE, "MessageBody": TEXT, "DelaySeconds": 3,
        "MessageAttributes": {"b": {"DataType": "Binary", "BinaryValue": "AP8="}},
    });
    recorder.record("sqs", "SendMessage", "full", params, send.send()).await?;
    let entry = |id: &str| SendMessageBatchRequestEntry::builder().id(id).message_body(TEXT).build();
    let send = client.send_message_batch().queue_url(QUEUE).entries(entry("1")?).entries(entry("2")?).send();
    let entries = json!([{"Id": "1", "MessageBody": TEXT}, {"Id": "2", "MessageBody": TEXT}]);
    recorder.record("sqs", "SendMessageBatch", "full", json!({"QueueUrl": QUEUE, "Entries": entries}), send).await?;
    let send = client.receive_message().queue_url(QUEUE).max_number_of_messages(10).wait_time_seconds(20).send();
    let params = json!({"QueueUrl": QUEUE, "MaxNumberOfMessages": 10, "WaitTimeSeconds": 20});
    recorder.record("sqs", "ReceiveMessage", "full", params, send).await
}

/// json 1.1.
pub(crate) async fn ssm(recorder: &Recorder) -> Outcome {
    use aws_sdk_ssm::types::{ParameterStringFilter, ParameterType, Tag, Target};
    let client = client!(recorder, "ssm", aws_sdk_ssm);
    let send = client.describe_parameters().send();
    recorder.record("ssm", "DescribeParameters", "minimal", json!({}), send).await?;
    let send = client
        .put_parameter()
        .name("/a/b")
        .value(TEXT)
        .r#type(ParameterType::SecureString)
        .overwrite(false)
        .tags(Tag::builder().key("k").value("v").build()?)
        .send();
    let params = json!({
        "Name": "/a/b", "Value": TEXT, "Type": "SecureString", "Overwrite": false, "Tags": [{"Key": "k", "Value": "v"}],
    });
    recorder.record("ssm", "PutParameter", "full", params, send).await?;
    let filter = ParameterStringFilter::builder().key("Type").option("Equals").values("String").build()?;
    let send =
        client.get_parameters_by_path().path("/a").recursive(true).parameter_filters(filter).with_decryption(true);
    let params = json!({
        "Path": "/a", "Recursive": true, "WithDecryption": true,
        "ParameterFilters": [{"Key": "Type", "Option": "Equals", "Values": ["String"]}],
    });
    recorder.record("ssm", "GetParametersByPath", "full", params, send.send()).await?;
    let send = client
        .send_command()
        .document_name("AWS-RunShellScript")
        .targets(Target::builder().key("tag:k").values("v").build())
        .parameters("commands", vec![TEXT.to_owned(), "id".to_owned()])
        .timeout_seconds(30)
        .send();
    let params = json!({
        "DocumentName": "AWS-RunShellScript", "Targets": [{"Key": "tag:k", "Values": ["v"]}],
        "Parameters": {"commands": [TEXT, "id"]}, "TimeoutSeconds": 30,
    });
    recorder.record("ssm", "SendCommand", "full", params, send).await
}

/// rest-json: labels, queries, headers, a payload of bytes.
pub(crate) async fn lambda(recorder: &Recorder) -> Outcome {
    use aws_sdk_lambda::types::{Environment, FunctionCode, InvocationType, LogType, Runtime};
    const ROLE: &str = "arn:aws:iam::123456789012:role/some-role";
    let client = client!(recorder, "lambda", aws_sdk_lambda);
    let send = client.list_functions().send();
    recorder.record("lambda", "ListFunctions", "minimal", json!({}), send).await?;
    let send = client
        .invoke()
        .function_name("arn:aws:lambda:eu-central-1:123456789012:function:f")
        .qualifier("$LATEST")
        .invocation_type(InvocationType::RequestResponse)
        .log_type(LogType::Tail)
        .payload(Blob::new(b"{\"a\": 1}"))
        .send();
    let params = json!({
        "FunctionName": "arn:aws:lambda:eu-central-1:123456789012:function:f", "Qualifier": "$LATEST",
        "InvocationType": "RequestResponse", "LogType": "Tail", "Payload": "eyJhIjogMX0=",
    });
    recorder.record("lambda", "Invoke", "full", params, send).await?;
    let send = client
        .create_function()
        .function_name("f")
        .runtime(Runtime::Providedal2023)
        .role(ROLE)
        .handler("h")
        .code(FunctionCode::builder().zip_file(Blob::new(b"PK\x00\xff")).build())
        .environment(Environment::builder().variables("A", TEXT).build())
        .memory_size(128)
        .publish(true)
        .send();
    let params = json!({
        "FunctionName": "f", "Runtime": "provided.al2023", "Role": ROLE, "Handler": "h", "Code": {"ZipFile": "UEsA/w=="},
        "Environment": {"Variables": {"A": TEXT}}, "MemorySize": 128, "Publish": true,
    });
    recorder.record("lambda", "CreateFunction", "full", params, send).await?;
    let arn = "arn:aws:lambda:eu-central-1:123456789012:function:f";
    let send = client.untag_resource().resource(arn).tag_keys("a b").tag_keys("c&d=ü").send();
    recorder
        .record("lambda", "UntagResource", "full", json!({"Resource": arn, "TagKeys": ["a b", "c&d=ü"]}), send)
        .await
}

/// rest-json with bytes and JSON in headers.
pub(crate) async fn iot_data(recorder: &Recorder) -> Outcome {
    use aws_sdk_iotdataplane::types::PayloadFormatIndicator;
    let client = client!(recorder, "iot-data", aws_sdk_iotdataplane);
    let send = client.get_thing_shadow().thing_name("t").shadow_name("s h").send();
    let params = json!({"thingName": "t", "shadowName": "s h"});
    recorder.record("iot-data", "GetThingShadow", "full", params, send).await?;
    let send = client
        .publish()
        .topic("a/b c/ü")
        .qos(1)
        .retain(true)
        .payload(Blob::new(b"\x00\xff"))
        .content_type("text/plain")
        .payload_format_indicator(PayloadFormatIndicator::UnspecifiedBytes)
        .message_expiry(60)
        .send();
    let params = json!({
        "topic": "a/b c/ü", "qos": 1, "retain": true, "payload": "AP8=", "contentType": "text/plain",
        "payloadFormatIndicator": "UNSPECIFIED_BYTES", "messageExpiry": 60,
    });
    recorder.record("iot-data", "Publish", "full", params, send).await?;
    let send = client.list_retained_messages().max_results(7).send();
    recorder.record("iot-data", "ListRetainedMessages", "full", json!({"maxResults": 7}), send).await
}

/// rest-xml beside S3.
pub(crate) async fn route53(recorder: &Recorder) -> Outcome {
    use aws_sdk_route53::types::{Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, RrType};
    let client = client!(recorder, "route53", aws_sdk_route53);
    let send = client.list_hosted_zones().max_items(7).send();
    recorder.record("route53", "ListHostedZones", "full", json!({"MaxItems": "7"}), send).await?;
    let records = ResourceRecordSet::builder().name("a.example.com").r#type(RrType::Txt).ttl(60);
    let records = records.resource_records(ResourceRecord::builder().value(TEXT).build()?).build()?;
    let change = Change::builder().action(ChangeAction::Upsert).resource_record_set(records).build()?;
    let batch = ChangeBatch::builder().comment("a <b> & c").changes(change).build()?;
    let send = client.change_resource_record_sets().hosted_zone_id("Z123").change_batch(batch).send();
    let params = json!({
        "HostedZoneId": "Z123",
        "ChangeBatch": {"Comment": "a <b> & c", "Changes": [{
            "Action": "UPSERT",
            "ResourceRecordSet": {"Name": "a.example.com", "Type": "TXT", "TTL": 60, "ResourceRecords": [{"Value": TEXT}]},
        }]},
    });
    recorder.record("route53", "ChangeResourceRecordSets", "full", params, send).await?;
    let send = client.create_hosted_zone().name("example.com").caller_reference(TEXT).send();
    let params = json!({"Name": "example.com", "CallerReference": TEXT});
    recorder.record("route53", "CreateHostedZone", "minimal", params, send).await?;
    let send = client.delete_hosted_zone().id("Z123").send();
    recorder.record("route53", "DeleteHostedZone", "minimal", json!({"Id": "Z123"}), send).await
}

/// query.
pub(crate) async fn autoscaling(recorder: &Recorder) -> Outcome {
    use aws_sdk_autoscaling::types::{LaunchTemplateSpecification, Tag};
    let client = client!(recorder, "autoscaling", aws_sdk_autoscaling);
    let send = client.describe_auto_scaling_groups().send();
    recorder.record("autoscaling", "DescribeAutoScalingGroups", "minimal", json!({}), send).await?;
    let template = LaunchTemplateSpecification::builder().launch_template_name("l").version("$Latest").build();
    let tag = Tag::builder().key("k").value(TEXT).propagate_at_launch(true).build();
    let send = client
        .create_auto_scaling_group()
        .auto_scaling_group_name("g")
        .launch_template(template)
        .min_size(0)
        .max_size(2)
        .availability_zones("eu-central-1a")
        .availability_zones("eu-central-1b")
        .tags(tag)
        .send();
    let params = json!({
        "AutoScalingGroupName": "g", "LaunchTemplate": {"LaunchTemplateName": "l", "Version": "$Latest"},
        "MinSize": 0, "MaxSize": 2, "AvailabilityZones": ["eu-central-1a", "eu-central-1b"],
        "Tags": [{"Key": "k", "Value": TEXT, "PropagateAtLaunch": true}],
    });
    recorder.record("autoscaling", "CreateAutoScalingGroup", "full", params, send).await?;
    let send = client.put_scheduled_update_group_action().auto_scaling_group_name("g").scheduled_action_name("s");
    let send = send.start_time(moment()).desired_capacity(1).send();
    let params = json!({
        "AutoScalingGroupName": "g", "ScheduledActionName": "s", "StartTime": MOMENT_TEXT, "DesiredCapacity": 1,
    });
    recorder.record("autoscaling", "PutScheduledUpdateGroupAction", "full", params, send).await
}

/// query.
pub(crate) async fn elbv2(recorder: &Recorder) -> Outcome {
    use aws_sdk_elasticloadbalancingv2::types::{Action, ActionTypeEnum, ProtocolEnum, TargetDescription};
    const BALANCER: &str = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/b/0123456789abcdef";
    const GROUP: &str = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/g/0123456789abcdef";
    let client = client!(recorder, "elbv2", aws_sdk_elasticloadbalancingv2);
    let send = client.describe_load_balancers().names("b").page_size(7).send();
    recorder.record("elbv2", "DescribeLoadBalancers", "full", json!({"Names": ["b"], "PageSize": 7}), send).await?;
    let target = |id: &str| TargetDescription::builder().id(id).port(80).build();
    let send = client.register_targets().target_group_arn(GROUP).targets(target("i-1")).targets(target("i-2")).send();
    let params = json!({"TargetGroupArn": GROUP, "Targets": [{"Id": "i-1", "Port": 80}, {"Id": "i-2", "Port": 80}]});
    recorder.record("elbv2", "RegisterTargets", "full", params, send).await?;
    let action = Action::builder().r#type(ActionTypeEnum::Forward).target_group_arn(GROUP).build();
    let listener = client.create_listener().load_balancer_arn(BALANCER).protocol(ProtocolEnum::Http).port(80);
    let params = json!({
        "LoadBalancerArn": BALANCER, "Protocol": "HTTP", "Port": 80,
        "DefaultActions": [{"Type": "forward", "TargetGroupArn": GROUP}],
    });
    recorder.record("elbv2", "CreateListener", "full", params, listener.default_actions(action).send()).await
}
