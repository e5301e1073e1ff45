//! Which host a member of the input chooses: Kinesis has a host for each account, stream, channel and queue, and
//! buckets on Outposts have a host of their own.

use countersign_domain::Value;

use crate::model::{ANYTHING, EndpointTable, MemberEndpoints};
use crate::{Place, Refusal};

/// The hosts that a member chose, with its value.
pub(crate) struct Chosen<'t, 'v> {
    pub(crate) endpoints: &'t MemberEndpoints,
    value: Named<'v>,
}

/// A value that names a host.
#[derive(Clone, Copy)]
enum Named<'v> {
    Arn(Arn<'v>),
    /// The two parts of a stream's id.
    StreamId(&'v str, &'v str),
    /// That it is there is enough.
    Anything,
}

#[derive(Clone, Copy)]
struct Arn<'v> {
    partition: &'v str,
    service: &'v str,
    account: &'v str,
    resource: &'v str,
    id: &'v str,
}

impl Chosen<'_, '_> {
    /// What stands for `part` in the host.
    pub(crate) fn part(&self, part: &str) -> Option<String> {
        let text = match (self.value, part) {
            (Named::Arn(arn), "account") => arn.account,
            (Named::Arn(arn), "id") => arn.id,
            (Named::StreamId(head, _), "head") => head,
            (Named::StreamId(_, tail), "tail") => tail,
            _ => return None,
        };
        Some(text.to_owned())
    }
}

/// The hosts that the first of the choosing members chooses; `None` where none of them is given.
///
/// # Errors
/// [`Refusal::UnresolvedHost`] for an ARN that names none of them: clients refuse it too.
pub(crate) fn choose<'t, 'v>(
    table: &'t EndpointTable,
    parameters: &'v Value,
    place: &Place,
) -> Result<Option<Chosen<'t, 'v>>, Refusal> {
    for first in &table.by_member {
        let Some(text) = parameters.get(first.member).and_then(Value::as_text) else { continue };
        if first.resource == ANYTHING {
            return Ok(Some(Chosen { endpoints: first, value: Named::Anything }));
        }
        if first.resource.is_empty() {
            // An id of another form tells nothing of the host.
            let Some((head, tail)) = stream_id(text) else { continue };
            return Ok(Some(Chosen { endpoints: first, value: Named::StreamId(head, tail) }));
        }
        let why = "the ARN names no resource of the service in the target's partition";
        let arn = arn(text).filter(|arn| arn.service == "kinesis" && arn.partition == place.partition);
        let arn = arn.ok_or(Refusal::UnresolvedHost { why })?;
        let fits = |one: &&MemberEndpoints| one.member == first.member && one.resource == arn.resource;
        let endpoints = table.by_member.iter().find(fits).ok_or(Refusal::UnresolvedHost { why })?;
        return Ok(Some(Chosen { endpoints, value: Named::Arn(arn) }));
    }
    Ok(None)
}

/// The first 20 characters and the 3 after the dash: the rule of the service's endpoints.
fn stream_id(text: &str) -> Option<(&str, &str)> {
    let before_last = text.len().checked_sub(4)?;
    let is_dash = |place: usize| text.as_bytes().get(place) == Some(&b'-');
    (is_dash(20) && is_dash(before_last)).then_some(())?;
    Some((text.get(..20)?, text.get(21..24)?))
}

fn arn(text: &str) -> Option<Arn<'_>> {
    let mut parts = text.strip_prefix("arn:")?.splitn(5, ':');
    let (partition, service, _region, account) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let mut resource = parts.next()?.split([':', '/']);
    Some(Arn { partition, service, account, resource: resource.next()?, id: resource.next()? })
}
