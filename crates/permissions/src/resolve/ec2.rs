//! EC2: resources by id, where one member takes ids of any kind (CreateTags, DeleteTags).

use countersign_domain::Resource;

use crate::template::{Place, resource};

/// The resource of an EC2 id; its prefix tells the kind.
pub(crate) fn by_id(value: &str, place: &Place<'_>) -> Resource {
    let Place { partition, region, account } = place;
    let Some((prefix, hex)) = value.rsplit_once('-') else { return Resource::NonCanonical(value.to_owned()) };
    let Some((_, kind, owner)) = KINDS.iter().find(|(known, ..)| *known == prefix) else {
        return Resource::NonCanonical(value.to_owned());
    };
    let is_id =
        matches!(hex.len(), 8 | 17) && hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let owner = match owner {
        Owner::RegionAndAccount => format!("{region}:{account}"),
        Owner::Region => format!("{region}:"),
        Owner::Account => format!(":{account}"),
    };
    resource(format!("arn:{partition}:ec2:{owner}:{kind}/{value}"), is_id)
}

/// What stands between service and kind in an ARN.
#[derive(Clone, Copy, Debug)]
enum Owner {
    RegionAndAccount,
    Region,
    Account,
}

/// The prefix of an id, the resource type of its ARN, and what owns it in its ARN (EC2 User
/// Guide, "Resource IDs"; service authorization reference, "Amazon EC2"). A key pair is told by its name,
/// not by its id.
const KINDS: [(&str, &str, Owner); 38] = [
    ("ami", "image", Owner::Region),
    ("acl", "network-acl", Owner::RegionAndAccount),
    ("cgw", "customer-gateway", Owner::RegionAndAccount),
    ("cr", "capacity-reservation", Owner::RegionAndAccount),
    ("crf", "capacity-reservation-fleet", Owner::RegionAndAccount),
    ("dopt", "dhcp-options", Owner::RegionAndAccount),
    ("eigw", "egress-only-internet-gateway", Owner::RegionAndAccount),
    ("eipalloc", "elastic-ip", Owner::RegionAndAccount),
    ("eni", "network-interface", Owner::RegionAndAccount),
    ("fl", "vpc-flow-log", Owner::RegionAndAccount),
    ("fleet", "fleet", Owner::RegionAndAccount),
    ("h", "dedicated-host", Owner::RegionAndAccount),
    ("i", "instance", Owner::RegionAndAccount),
    ("igw", "internet-gateway", Owner::RegionAndAccount),
    ("ipam", "ipam", Owner::Account),
    ("ipam-pool", "ipam-pool", Owner::Account),
    ("ipam-scope", "ipam-scope", Owner::Account),
    ("lgw", "local-gateway", Owner::RegionAndAccount),
    ("lt", "launch-template", Owner::RegionAndAccount),
    ("nat", "natgateway", Owner::RegionAndAccount),
    ("pcx", "vpc-peering-connection", Owner::RegionAndAccount),
    ("pl", "prefix-list", Owner::RegionAndAccount),
    ("rtb", "route-table", Owner::RegionAndAccount),
    ("sfr", "spot-fleet-request", Owner::RegionAndAccount),
    ("sg", "security-group", Owner::RegionAndAccount),
    ("sgr", "security-group-rule", Owner::RegionAndAccount),
    ("sir", "spot-instances-request", Owner::RegionAndAccount),
    ("snap", "snapshot", Owner::Region),
    ("subnet", "subnet", Owner::RegionAndAccount),
    ("tgw", "transit-gateway", Owner::RegionAndAccount),
    ("tgw-attach", "transit-gateway-attachment", Owner::RegionAndAccount),
    ("tgw-rtb", "transit-gateway-route-table", Owner::RegionAndAccount),
    ("vgw", "vpn-gateway", Owner::RegionAndAccount),
    ("vol", "volume", Owner::RegionAndAccount),
    ("vpc", "vpc", Owner::RegionAndAccount),
    ("vpce", "vpc-endpoint", Owner::RegionAndAccount),
    ("vpce-svc", "vpc-endpoint-service", Owner::RegionAndAccount),
    ("vpn", "vpn-connection", Owner::RegionAndAccount),
];
