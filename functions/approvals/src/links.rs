//! Links from mail, and the codes that stand for signing in where a team has only mail.
//!
//! A link shows that there is a request, and nothing of it. To see and to decide takes a proof:
//! signing in, or a code that is sent on demand to the person's registered address and typed by
//! hand. What was proved by a code travels as a sealed form field, bound to request, digest and
//! link, for a few minutes.

use std::time::Duration;

use countersign_aws::{
    authority::{CodeStored, LinkItem, Stored},
    mail::Letter,
};
use countersign_domain::{
    Digest, Timestamp, approval,
    certificate::Proof,
    encoding::Writer,
    event::{Happening, Subject},
    request::RequestState,
    settings::Person,
};
use countersign_identity::pkce::PersonSession;
use maud::html;
use ring::{
    hmac,
    rand::{SecureRandom, SystemRandom},
};
use subtle::ConstantTimeEq;

use crate::{
    answer::{Answer, query_member},
    approvals::Approvals,
    assess::Assessment,
    decide::Order,
    pages::{self, ApproveBy, Tone},
    problem::Problem,
};

/// How long a code can be typed, and then how long the call may be looked at.
const CODE_LIFETIME: Duration = Duration::from_secs(10 * 60);
/// Guesses at one code.
const ATTEMPTS: u64 = 5;
/// Codes for one person and request.
const MOST_CODES: u64 = 5;
/// Digits of a code. Five guesses at each of five codes find one of 10^8 once in four million.
const DIGITS: u32 = 8;

/// A link that can be used, and the person it was sent to.
struct OpenLink<'a> {
    hash: Digest,
    item: LinkItem,
    person: &'a Person,
}

impl Approvals {
    /// `GET /r/{token}`: says that there is a request, and how to get to it. Changes nothing, and is
    /// the same whatever the call is, what policy says of it and what became of it.
    pub(crate) async fn open_link(&self, token: &str, now: Timestamp) -> Result<Answer, Problem> {
        let link = self.link(token, now).await?;
        let sign_in = format!("/login?return=/requests/{}", link.item.request);
        let by_code = self.bundle.settings().channels.email_codes && !link.person.emails.is_empty();
        Ok(Answer::page(200, pages::link(&sign_in, by_code.then(|| format!("/r/{token}/code")).as_deref())))
    }

    /// `POST /r/{token}/code`: sends a code.
    pub(crate) async fn send_code(&self, token: &str, now: Timestamp) -> Result<Answer, Problem> {
        let link = self.link(token, now).await?;
        let address = link.person.emails.first().ok_or(Problem::NoCode)?;
        let found = self.assess(&link.item.request, now).await.map_err(before_proof)?;
        self.code_is_sent(&found, link.person, now).map_err(before_proof)?;
        let code = random_code().ok_or(Problem::Unavailable("the system gives no randomness"))?;
        let hash = self.code_hash(&link, &code).await?;
        let stored = self
            .authority
            .put_code(&link.item.request, &link.person.id, &hash, ATTEMPTS, MOST_CODES, now.plus(CODE_LIFETIME))
            .await
            .map_err(|error| Problem::unavailable("the code cannot be stored", &error))?;
        if stored == CodeStored::TooMany {
            return Err(Problem::NoCode);
        }
        self.record(&found, Happening::CodeSent { person: link.person.id.clone() }, now).await?;
        self.mail_code(address, &code, &found).await?;
        let page = pages::type_code(&format!("/r/{token}/open"), &format!("/r/{token}/code"), &shortened(address));
        Ok(Answer::page(200, page))
    }

    /// `POST /r/{token}/open` with the code: shows the call.
    pub(crate) async fn open_by_code(&self, token: &str, form: &str, now: Timestamp) -> Result<Answer, Problem> {
        let link = self.link(token, now).await?;
        let typed = query_member(form, "code").unwrap_or_default();
        self.spend_code(&link, typed.trim(), now).await?;
        let found = self.assess(&link.item.request, now).await?;
        self.code_is_enough(&found, link.person)?;
        self.see(&found, link.person, Proof::EmailedCode, now).await?;
        let approve_by = match Self::not_now(&found, link.person, now) {
            Some(reason) => ApproveBy::Not(reason),
            None => {
                ApproveBy::ByCode { action: format!("/r/{token}/decision"), proof: self.seal_proof(&link, now).await? }
            }
        };
        Ok(Answer::page(200, pages::request(&Self::view(&found, link.person, approve_by, now), None)))
    }

    /// `POST /r/{token}/decision` with the sealed proof.
    pub(crate) async fn decide_by_link(&self, token: &str, form: &str, now: Timestamp) -> Result<Answer, Problem> {
        let link = self.link(token, now).await?;
        let unverified_proof = query_member(form, "proof").ok_or(Problem::NotSignedIn)?;
        self.check_proof(&link, &unverified_proof, now).await?;
        let found = self.assess(&link.item.request, now).await?;
        if found.digest != link.item.frozen_digest {
            return Err(Problem::Changed);
        }
        let order = crate::requests::order_of_form(form)?;
        let decided = self.decide_once(&link, &found, &order, now).await?;
        Ok(Answer::page(200, pages::decided(decided)))
    }

    async fn decide_once(
        &self,
        link: &OpenLink<'_>,
        found: &Assessment,
        order: &Order,
        now: Timestamp,
    ) -> Result<crate::decide::Decided, Problem> {
        let decided = self.decide(found, link.person, Proof::EmailedCode, order, now).await?;
        // The decision itself is stored once; this closes the link for anything else.
        match self.authority.use_link(&link.hash, now).await {
            Ok(Stored::Now | Stored::Already(())) => Ok(decided),
            Err(error) => {
                Err(Problem::unavailable("your decision is stored, but the link could not be closed", &error))
            }
        }
    }

    /// What the link in a mail stands for. Its secret is looked up by its hash alone.
    async fn link(&self, token: &str, now: Timestamp) -> Result<OpenLink<'_>, Problem> {
        let unreadable =
            |error: countersign_aws::authority::AuthorityError| Problem::unavailable("the link cannot be read", &error);
        let hash = Digest::of(token.as_bytes());
        let (item, used) = tokio::join!(self.authority.link(&hash), self.authority.link_is_used(&hash));
        let item = item.map_err(unreadable)?.ok_or(Problem::Link("is not one of ours"))?;
        if used.map_err(unreadable)? {
            return Err(Problem::Link("was used"));
        }
        if now >= item.expires_at {
            return Err(Problem::Link("has expired"));
        }
        let person = self
            .bundle
            .settings()
            .person(&item.person)
            .ok_or(Problem::Link("was sent to somebody who is no longer a person of this gateway"))?;
        Ok(OpenLink { hash, item, person })
    }

    fn code_is_enough(&self, found: &Assessment, person: &Person) -> Result<(), Problem> {
        approval::proof_is_enough(Proof::EmailedCode, &found.call, self.bundle.settings())?;
        Ok(found.may_deny(person)?)
    }

    /// A code is sent to somebody who can decide with it, while there is something to decide.
    fn code_is_sent(&self, found: &Assessment, person: &Person, now: Timestamp) -> Result<(), Problem> {
        self.code_is_enough(found, person)?;
        match found.state(now) {
            RequestState::Pending { .. } => Ok(()),
            other => Err(Problem::Closed(other.as_str())),
        }
    }

    /// Takes an attempt before it compares, so that parallel guesses cannot share one.
    async fn spend_code(&self, link: &OpenLink<'_>, typed: &str, now: Timestamp) -> Result<(), Problem> {
        let unreadable = |error| Problem::unavailable("the code cannot be checked", &error);
        let (request, person) = (&link.item.request, link.person);
        let attempt = self.authority.take_code_attempt(request, &person.id, now).await.map_err(unreadable)?;
        let hash = self.code_hash(link, typed).await?;
        let right = attempt.is_some_and(|attempt| bool::from(attempt.code_hash.as_bytes().ct_eq(hash.as_bytes())));
        if right && self.authority.spend_code(request, &person.id, &hash).await.map_err(unreadable)? {
            return Ok(());
        }
        // Of a request that nobody has proved anything about, no more is looked at than its id.
        let subject = Subject {
            agent: None,
            session: None,
            target: None,
            request: Some(request.clone()),
            unverified_task: String::new(),
        };
        self.record_refusal(subject, person, &Problem::Code, now).await?;
        Err(Problem::Code)
    }

    async fn code_hash(&self, link: &OpenLink<'_>, code: &str) -> Result<Digest, Problem> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.code_key().await?);
        let mut message = Writer::new("countersign/emailed-code/v1");
        message.text(link.item.request.as_str()).text(link.person.id.as_str()).text(code);
        Ok(Digest::of(hmac::sign(&key, &message.finish()).as_ref()))
    }

    async fn mail_code(&self, address: &str, code: &str, found: &Assessment) -> Result<(), Problem> {
        let request = found.frozen.request_id.as_str();
        let text = format!(
            "Your code to look at request {request} and decide on it:\n\n    {code}\n\nIt can be typed for 10 minutes on the \
             page where you asked for it. If you did not ask for it, do nothing and tell your operators.\n"
        );
        let page = html! {
            p { "Your code to look at request " code { (request) } " and decide on it:" }
            p style="font-size:1.6em" { strong { (code) } }
            p { "It can be typed for 10 minutes on the page where you asked for it. If you did not ask for it, do nothing and tell your operators." }
        };
        let letter = Letter { to: address, subject: "Your Countersign code", text: &text, html: &page.into_string() };
        self.mail
            .send(&letter)
            .await
            .map(|_| ())
            .map_err(|error| Problem::unavailable("the code could not be sent", &error))
    }

    async fn seal_proof(&self, link: &OpenLink<'_>, now: Timestamp) -> Result<String, Problem> {
        let sealer = self.sealer().await?;
        Ok(sealer.seal_person(&PersonSession {
            id: sealer.person_session_id()?,
            person: link.person.id.clone(),
            issuer: proof_issuer(link),
            subject: link.item.frozen_digest.to_string(),
            signed_in_at: now,
            authenticated_at: None,
            methods: Vec::new(),
            expires_at: now.plus(CODE_LIFETIME),
        })?)
    }

    async fn check_proof(&self, link: &OpenLink<'_>, unverified_proof: &str, now: Timestamp) -> Result<(), Problem> {
        let proof = self.sealer().await?.open_person(unverified_proof, now).map_err(|_| Problem::NotSignedIn)?;
        let fits = proof.issuer == proof_issuer(link)
            && proof.person == link.person.id
            && proof.subject == link.item.frozen_digest.to_string();
        if fits { Ok(()) } else { Err(Problem::NotSignedIn) }
    }
}

/// What whoever has proved nothing yet is told of a problem: that we failed, or that there is no
/// code; nothing of the call, of policy, or of what became of the request.
fn before_proof(problem: Problem) -> Problem {
    match problem {
        Problem::Unavailable(_) => problem,
        _ => Problem::NoCode,
    }
}

/// What a proof by code is bound to, in the place of an issuer: no issuer of a bundle looks so, and
/// a cookie is only taken from an issuer of the bundle.
fn proof_issuer(link: &OpenLink<'_>) -> String {
    format!("emailed-code:{}:{}", link.item.request, link.hash)
}

/// Evenly distributed decimal digits.
fn random_code() -> Option<String> {
    let random = SystemRandom::new();
    let range = 10_u64.pow(DIGITS);
    // Values beyond the last full range would favour low codes.
    let fair = u64::MAX - u64::MAX % range;
    for _ in 0..64 {
        let mut bytes = [0; 8];
        random.fill(&mut bytes).ok()?;
        let number = u64::from_be_bytes(bytes);
        if number < fair {
            return Some(format!("{:0width$}", number % range, width = usize::try_from(DIGITS).unwrap_or(8)));
        }
    }
    None
}

/// An address as it is shown to whoever holds the link: enough to know which mailbox to open.
fn shortened(address: &str) -> String {
    let (name, host) = address.split_once('@').unwrap_or((address, ""));
    format!("{}…@{host}", name.chars().take(1).collect::<String>())
}

/// A page that only says something; used by the router.
pub(crate) fn said(tone: Tone, title: &str, text: &str) -> Answer {
    Answer::page(200, pages::message(tone, title, text, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_have_eight_digits_and_differ() {
        let codes: std::collections::BTreeSet<_> = (0..50).filter_map(|_| random_code()).collect();
        assert_eq!(codes.len(), 50);
        assert!(codes.iter().all(|code| code.len() == 8 && code.bytes().all(|digit| digit.is_ascii_digit())));
    }

    #[test]
    fn an_address_is_shown_shortened() {
        assert_eq!(shortened("ann@example.com"), "a…@example.com");
    }
}
