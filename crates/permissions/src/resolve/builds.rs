//! CodeBuild: builds and batches of builds, whose project is checked.

use countersign_domain::Resource;

use crate::arn::{self, Arn};
use crate::template::{Place, resource};

/// The project of a build: its id is `project:uuid`, its ARN ends in that (CodeBuild API reference,
/// "Build"; service authorization reference, "AWS CodeBuild").
pub(crate) fn project(value: &str, place: &Place<'_>) -> Resource {
    let Place { partition, region, account } = place;
    let other = || Resource::NonCanonical(value.to_owned());
    if !arn::is_meant_as_arn(value) {
        let Some(project) = of_id(value) else { return other() };
        return resource(format!("arn:{partition}:codebuild:{region}:{account}:project/{project}"), true);
    }
    let Some(arn) = Arn::parse(value) else { return other() };
    let id = arn.resource.strip_prefix("build/").or_else(|| arn.resource.strip_prefix("build-batch/"));
    let is_own = arn.partition == *partition
        && arn.service == "codebuild"
        && arn::is_region(arn.region)
        && arn::is_account(arn.account);
    match id.and_then(of_id).filter(|_| is_own) {
        Some(project) => {
            resource(format!("arn:{partition}:codebuild:{}:{}:project/{project}", arn.region, arn.account), true)
        }
        None => other(),
    }
}

fn of_id(id: &str) -> Option<&str> {
    let (project, build) = id.split_once(':')?;
    let is_project = project.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    let is_build = !build.is_empty() && build.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (!project.is_empty() && is_project && is_build).then_some(project)
}
