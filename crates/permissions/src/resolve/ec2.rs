//! EC2: resources by id, where one member takes ids of any kind (CreateTags, DeleteTags).

use countersign_domain::Resource;

use crate::template::{Place, resource};

/// The resource of an EC2 id; its prefix tells the kind.
pub(crate) fn by_id(value: &str, place: &Place<'_>) -> Resource {
    let Place { partition, region, account } = place;
    let Some((prefix, hex)) = value.rsplit_once('-') else { return Resource::NonCanonical(value.to_owned()) };
    let Some((_, kind, owned)) = KINDS.iter().find(|(known, ..)| *known == prefix) else {
        return Resource::NonCanonical(value.to_owned());
    };
    let is_id =
        matches!(hex.len(), 8 | 17) && hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let owner = if *owned { account } else { "" };
    resource(format!("arn:{partition}:ec2:{region}:{owner}:{kind}/{value}"), is_id)
}

/// The prefix of an id, the resource type of its ARN, and whether the ARN holds an account (EC2 User
/// Guide, "Resource IDs"; service authorization reference, "Amazon EC2").
const KINDS: [(&str, &str, bool); 38] = [
    ("ami", "image", false),
    ("acl", "network-acl", true),
    ("cgw", "customer-gateway", true),
    ("cr", "capacity-reservation", true),
    ("crf", "capacity-reservation-fleet", true),
    ("dopt", "dhcp-options", true),
    ("eigw", "egress-only-internet-gateway", true),
    ("eipalloc", "elastic-ip", true),
    ("eni", "network-interface", true),
    ("fl", "vpc-flow-log", true),
    ("fleet", "fleet", true),
    ("h", "dedicated-host", true),
    ("i", "instance", true),
    ("igw", "internet-gateway", true),
    ("ipam", "ipam", true),
    ("ipam-pool", "ipam-pool", true),
    ("key", "key-pair", true),
    ("lgw", "local-gateway", true),
    ("lt", "launch-template", true),
    ("nat", "natgateway", true),
    ("pcx", "vpc-peering-connection", true),
    ("pl", "prefix-list", true),
    ("rtb", "route-table", true),
    ("sfr", "spot-fleet-request", true),
    ("sg", "security-group", true),
    ("sgr", "security-group-rule", true),
    ("sir", "spot-instances-request", true),
    ("snap", "snapshot", false),
    ("subnet", "subnet", true),
    ("tgw", "transit-gateway", true),
    ("tgw-attach", "transit-gateway-attachment", true),
    ("tgw-rtb", "transit-gateway-route-table", true),
    ("vgw", "vpn-gateway", true),
    ("vol", "volume", true),
    ("vpc", "vpc", true),
    ("vpce", "vpc-endpoint", true),
    ("vpce-svc", "vpc-endpoint-service", true),
    ("vpn", "vpn-connection", true),
];
