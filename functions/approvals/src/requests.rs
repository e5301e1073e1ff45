//! Looking at a request and deciding on it, signed in.

use countersign_domain::{RequestId, Timestamp, certificate::Proof, event::Happening, settings::Person};
use http::HeaderMap;
use serde_json::json;

use crate::{
    answer::{Answer, query_member},
    approvals::Approvals,
    assess::Assessment,
    decide::Order,
    pages::{self, ApproveBy},
    problem::Problem,
};

impl Approvals {
    /// `GET /requests/{id}`.
    pub(crate) async fn look(
        &self,
        id: &str,
        headers: &HeaderMap,
        wants_json: bool,
        now: Timestamp,
    ) -> Result<Answer, Problem> {
        let id = RequestId::new(id).map_err(|_| Problem::NotFound)?;
        let visitor = self.visitor(headers, now).await?;
        let found = self.assess(&id, now).await?;
        if !Self::may_see(&found, visitor.person) {
            return Err(Problem::NotFound);
        }
        self.see(&found, visitor.person, Proof::SignedIn, now).await?;
        if wants_json {
            return Ok(Answer::json(200, &Self::as_json(&found, now)));
        }
        let approve_by = match (Self::not_now(&found, visitor.person, now), &visitor.session) {
            (Some(reason), _) => ApproveBy::Not(reason),
            (None, None) => ApproveBy::Not("A bearer token decides by POST, not by this page.".to_owned()),
            (None, Some(session)) => ApproveBy::SignedIn {
                action: format!("/requests/{id}/decision"),
                form_token: self.sealer().await?.form_token(session, &id)?,
            },
        };
        let view = Self::view(&found, visitor.person, approve_by, now);
        Ok(Answer::page(200, pages::request(&view, Some(visitor.person.id.as_str()))))
    }

    /// `POST /requests/{id}/decision`: a form with the session's form token, or JSON with a bearer
    /// ID token.
    pub(crate) async fn decide_signed_in(
        &self,
        id: &str,
        headers: &HeaderMap,
        body: &str,
        wants_json: bool,
        now: Timestamp,
    ) -> Result<Answer, Problem> {
        let id = RequestId::new(id).map_err(|_| Problem::NotFound)?;
        let visitor = self.visitor(headers, now).await?;
        let order = match &visitor.session {
            Some(session) => {
                let unverified_token = query_member(body, "form_token").unwrap_or_default();
                self.sealer().await?.check_form_token(session, &id, &unverified_token)?;
                order_of_form(body)?
            }
            None => serde_json::from_str(body).map_err(|error| {
                Problem::Form(format!("the body is JSON with verdict, reason, frozen_digest and confirm: {error}"))
            })?,
        };
        let found = self.assess(&id, now).await?;
        if !Self::may_see(&found, visitor.person) {
            return Err(Problem::NotFound);
        }
        let decided = self.decide(&found, visitor.person, Proof::SignedIn, &order, now).await?;
        if wants_json {
            return Ok(Answer::json(200, &json!({"request": id, "result": decided.as_str()})));
        }
        Ok(Answer::page(200, pages::decided(decided)))
    }

    /// Notes the first sight of a person who has proved who they are; reading time counts from it.
    pub(crate) async fn see(
        &self,
        found: &Assessment,
        person: &Person,
        proof: Proof,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let seen = self
            .authority
            .mark_seen(&found.frozen.request_id, &person.id, proof, now)
            .await
            .map_err(|error| Problem::unavailable("your visit cannot be noted", &error))?;
        if seen.at == now {
            let happening = Happening::Seen { person: person.id.clone(), proof: proof.as_str().to_owned() };
            self.record(found, happening, now).await?;
        }
        Ok(())
    }
}

/// The members of a decision form.
pub(crate) fn order_of_form(form: &str) -> Result<Order, Problem> {
    let member = |name: &str| query_member(form, name);
    let required = |name: &str| member(name).ok_or_else(|| Problem::Form(format!("the form has no `{name}`")));
    Ok(Order {
        verdict: required("verdict")?,
        reason: required("reason")?,
        frozen_digest: required("frozen_digest")?,
        confirm: member("confirm").unwrap_or_default(),
    })
}
