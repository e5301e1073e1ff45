use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_795_000_000);
const HOUR: Duration = Duration::from_secs(3600);

fn key(id: &str, byte: u8) -> SealingKey {
    SealingKey::new(id, &Zeroizing::new(vec![byte; 32])).unwrap()
}

fn sealer() -> Sealer {
    Sealer::new(key("k1", 1))
}

fn login() -> Login {
    Login {
        agent: AgentId::new("github:repo:octo-org/octo-repo:ref:refs/heads/main").unwrap(),
        groups: ["a", "b/c"].into_iter().map(|name| GroupName::new(name).unwrap()).collect(),
        owners: ["ann"].into_iter().map(|name| PersonId::new(name).unwrap()).collect(),
        target: TargetName::new("prod").unwrap(),
        unverified_task: "fix-the-alarm".to_owned(),
        unverified_reason: None,
        unverified_ticket: Some("OPS-1".to_owned()),
        issuer: "https://token.actions.githubusercontent.com".to_owned(),
        subject: "repo:octo-org/octo-repo:ref:refs/heads/main".to_owned(),
        jti: Some("1".to_owned()),
        token_hash: Digest::of(b"token"),
    }
}

#[test]
fn credentials_look_like_credentials_and_open() {
    let sealer = sealer();
    let (claims, credentials) = sealer.issue_session(login(), NOW, HOUR).unwrap();
    assert!(is_session_access_key(&credentials.access_key_id), "{}", credentials.access_key_id);
    assert_eq!(credentials.access_key_id.len(), 20);
    assert_eq!(credentials.secret_access_key.expose().len(), 40);
    assert!(credentials.session_token.len() < 900, "{}", credentials.session_token.len());
    assert!(credentials.session_token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)));
    assert_eq!(credentials.expires_at, NOW.plus(HOUR));

    let (opened, secret) = sealer.open_session(&credentials.access_key_id, &credentials.session_token, NOW).unwrap();
    assert_eq!(opened, claims);
    assert_eq!(secret.expose(), credentials.secret_access_key.expose());
}

#[test]
fn the_same_login_gives_the_same_session() {
    let sealer = sealer();
    let (one, first) = sealer.issue_session(login(), NOW, HOUR).unwrap();
    let (two, second) = sealer.issue_session(login(), NOW.plus(HOUR), HOUR).unwrap();
    assert_eq!(one.session, two.session);
    assert_eq!(first.access_key_id, second.access_key_id);
    assert_eq!(first.secret_access_key.expose(), second.secret_access_key.expose());
    assert_ne!(first.session_token, second.session_token);
}

#[test]
fn whatever_is_done_with_one_token_is_one_session() {
    // A stop of the session holds then, whatever the agent calls itself next.
    let sealer = sealer();
    let (first, credentials) = sealer.issue_session(login(), NOW, HOUR).unwrap();
    let changes: [fn(&mut Login); 4] = [
        |login| login.target = TargetName::new("test").unwrap(),
        |login| login.unverified_task.push('x'),
        |login| login.unverified_reason = Some(String::new()),
        |login| login.unverified_ticket = None,
    ];
    for change in changes {
        let mut other = login();
        change(&mut other);
        let (other, other_credentials) = sealer.issue_session(other, NOW, HOUR).unwrap();
        assert_eq!(other.session, first.session);
        let opened = sealer.open_session(&credentials.access_key_id, &other_credentials.session_token, NOW).unwrap().0;
        assert_eq!(opened.login, other.login, "the words and the target are those of each token");
    }
}

#[test]
fn another_token_or_agent_gives_another_session() {
    let sealer = sealer();
    let (first, credentials) = sealer.issue_session(login(), NOW, HOUR).unwrap();
    let changes: [fn(&mut Login); 2] =
        [|login| login.token_hash = Digest::of(b"another"), |login| login.agent = AgentId::new("another").unwrap()];
    for change in changes {
        let mut other = login();
        change(&mut other);
        let (other, other_credentials) = sealer.issue_session(other, NOW, HOUR).unwrap();
        assert_ne!(other.session, first.session);
        assert_ne!(other_credentials.access_key_id, credentials.access_key_id);
        assert_ne!(other_credentials.secret_access_key.expose(), credentials.secret_access_key.expose());
    }
    // Another master gives another secret for everything.
    let (_, other) = Sealer::new(key("k1", 2)).issue_session(login(), NOW, HOUR).unwrap();
    assert_ne!(other.access_key_id, credentials.access_key_id);
    assert_ne!(other.secret_access_key.expose(), credentials.secret_access_key.expose());
}

#[test]
fn a_token_opens_for_its_own_key_and_time_only() {
    let sealer = sealer();
    let (_, credentials) = sealer.issue_session(login(), NOW, HOUR).unwrap();
    let (id, token) = (&credentials.access_key_id, &credentials.session_token);
    let open = |id: &str, token: &str, now| sealer.open_session(id, token, now).map(|_| ());
    let last = NOW.plus(HOUR - Duration::from_millis(1));
    assert_eq!(open(id, token, last), Ok(()));
    assert_eq!(open(id, token, NOW.plus(HOUR)), Err(SessionError::Expired(NOW.plus(HOUR))));
    assert_eq!(open(id, token, Timestamp::from_secs(NOW.as_secs() - 61)), Err(SessionError::Invalid));
    for (id, token) in [
        ("CSGNAAAAAAAAAAAAAAAA", token.as_str()),
        ("", token),
        (&id.to_lowercase(), token),
        (id, ""),
        (id, "k1."),
        (id, "k1"),
        (id, &token.replacen("k1", "k2", 1)),
        (id, &token.replacen("k1", "", 1)),
        (id, &format!("{token}A")),
        (id, &format!("{token}=")),
        (id, &"A".repeat(MAX_SESSION_TOKEN_BYTES + 1)),
    ] {
        assert_eq!(open(id, token, NOW), Err(SessionError::Invalid), "{id} {token}");
    }
    // Sealed by the same master, for something else.
    let cookie = sealer.seal(Purpose::PERSON_SESSION, id.as_bytes(), b"x").unwrap();
    assert_eq!(open(id, &cookie, NOW), Err(SessionError::Invalid));
}

#[test]
fn every_changed_character_fails() {
    let sealer = sealer();
    let (_, credentials) = sealer.issue_session(login(), NOW, HOUR).unwrap();
    for place in 0..credentials.session_token.len() {
        let mut bytes = credentials.session_token.clone().into_bytes();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        let token = String::from_utf8(bytes).unwrap();
        assert_eq!(
            sealer.open_session(&credentials.access_key_id, &token, NOW).unwrap_err(),
            SessionError::Invalid,
            "{place}"
        );
    }
}

#[test]
fn keys_rotate() {
    let (_, old) = sealer().issue_session(login(), NOW, HOUR).unwrap();
    let ring = Sealer::with_older(key("k2", 2), vec![key("k1", 1)]).unwrap();
    let (_, secret) = ring.open_session(&old.access_key_id, &old.session_token, NOW).unwrap();
    assert_eq!(secret.expose(), old.secret_access_key.expose());
    let (_, new) = ring.issue_session(login(), NOW, HOUR).unwrap();
    assert!(new.session_token.starts_with("k2."));
    assert!(ring.open_session(&new.access_key_id, &new.session_token, NOW).is_ok());
    assert!(sealer().open_session(&new.access_key_id, &new.session_token, NOW).is_err());

    assert_eq!(Sealer::with_older(key("k1", 2), vec![key("k1", 1)]).unwrap_err(), SealError::DuplicateKeyId);
    for (id, length, error) in [
        ("", 32, SealError::KeyId),
        ("ninechars", 32, SealError::KeyId),
        ("a.b", 32, SealError::KeyId),
        ("k1", 31, SealError::KeyLength),
        ("k1", 65, SealError::KeyLength),
    ] {
        assert_eq!(SealingKey::new(id, &Zeroizing::new(vec![0; length])).unwrap_err(), error);
    }
}

#[test]
fn claims_that_do_not_fit_say_what_to_shorten() {
    let mut many_groups = login();
    many_groups.groups =
        (0..60).map(|number| GroupName::new(format!("organisation/team-number-{number}")).unwrap()).collect();
    let error = sealer().issue_session(many_groups, NOW, HOUR).unwrap_err();
    assert!(error.to_string().contains("shorten the list of groups, which takes"), "{error}");

    let mut long_task = login();
    long_task.unverified_task = "x".repeat(2_000);
    let error = sealer().issue_session(long_task, NOW, HOUR).unwrap_err();
    assert!(error.to_string().contains("shorten the task, which takes 2000 bytes"), "{error}");
}

#[test]
fn lifetimes_are_bounded() {
    for seconds in [0, 1799, 43_201] {
        let error = sealer().issue_session(login(), NOW, Duration::from_secs(seconds)).unwrap_err();
        assert_eq!(error.to_string(), "a session lives 1800 to 43200 seconds");
    }
    for (asked, configured, expected) in [
        (None, 3600, 3600),
        (Some(900), 3600, 1800),
        (Some(43_200), 3600, 3600),
        (Some(2000), 3600, 2000),
        (None, 60, 1800),
    ] {
        assert_eq!(lifetime(asked, Duration::from_secs(configured)).as_secs(), expected);
    }
}

#[test]
fn nothing_shows_a_secret() {
    let (_, credentials) = sealer().issue_session(login(), NOW, HOUR).unwrap();
    let shown = format!("{credentials:?} {:?} {:?}", credentials.secret_access_key, sealer());
    assert!(!shown.contains(credentials.secret_access_key.expose()), "{shown}");
    assert!(!shown.contains(&credentials.session_token), "{shown}");
    assert!(!shown.contains("1, 1, 1"), "{shown}");
}

proptest! {
    #[test]
    fn what_is_sealed_opens(
        task in ".{0,64}",
        reason in proptest::option::of(".{0,200}"),
        ticket in proptest::option::of("[A-Z]{1,5}-[0-9]{1,5}"),
        subject in "[ -~]{1,120}",
        groups in proptest::collection::btree_set("[a-z/.-]{1,20}", 0..10),
        owners in proptest::collection::btree_set("[a-z@.]{1,20}", 0..5),
        lifetime in 1800..=43_200_u64,
    ) {
        let mut login = login();
        login.unverified_task = task;
        login.unverified_reason = reason;
        login.unverified_ticket = ticket;
        login.subject = subject;
        login.groups = groups.into_iter().map(|name| GroupName::new(name).unwrap()).collect();
        login.owners = owners.into_iter().map(|name| PersonId::new(name).unwrap()).collect();
        let sealer = sealer();
        match sealer.issue_session(login.clone(), NOW, Duration::from_secs(lifetime)) {
            Ok((claims, credentials)) => {
                prop_assert_eq!(&claims.login, &login);
                let (opened, _) = sealer.open_session(&credentials.access_key_id, &credentials.session_token, NOW).unwrap();
                prop_assert_eq!(opened, claims);
            }
            Err(error) => {
                let is_too_long = matches!(error, SessionError::TooLong { .. });
                prop_assert!(is_too_long, "{}", error);
            }
        }
    }

    #[test]
    fn any_text_is_refused_without_a_panic(id in ".{0,40}", token in ".{0,300}") {
        prop_assert_eq!(sealer().open_session(&id, &token, NOW).unwrap_err(), SessionError::Invalid);
        let with_key_id = format!("k1.{token}");
        prop_assert_eq!(sealer().open_session(&id, &with_key_id, NOW).unwrap_err(), SessionError::Invalid);
    }
}

#[test]
fn rules_and_approvers_read_the_same_words() {
    let mut login = login();
    assert_eq!(login.unverified_words(), "fix-the-alarm\nticket: OPS-1");
    login.unverified_reason = Some("it rings".to_owned());
    assert_eq!(login.unverified_words(), "fix-the-alarm\nreason: it rings\nticket: OPS-1");
}
