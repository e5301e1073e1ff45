use super::*;
use crate::sealing::SealingKey;

const NOW: Timestamp = Timestamp::from_secs(1_795_000_000);

fn sealer(byte: u8) -> Sealer {
    Sealer::new(SealingKey::new("k1", &Zeroizing::new(vec![byte; 32])).unwrap())
}

fn callback(state: &str) -> Callback {
    Callback { unverified_code: "c".to_owned(), unverified_state: state.to_owned(), unverified_issuer: None }
}

fn person_session(id: u8) -> PersonSession {
    PersonSession {
        id: [id; 16],
        person: PersonId::new("ann").unwrap(),
        issuer: "https://issuer.example".to_owned(),
        subject: "00u1".to_owned(),
        signed_in_at: NOW,
        authenticated_at: Some(NOW),
        methods: vec!["pwd".to_owned(), "hwk".to_owned()],
        expires_at: NOW.plus(Duration::from_secs(3600)),
    }
}

#[test]
fn the_challenge_is_that_of_rfc_7636_appendix_b() {
    let login = LoginState {
        issuer: "https://issuer.example".to_owned(),
        return_to: "/".to_owned(),
        nonce: "n".to_owned(),
        state: "s".to_owned(),
        code_verifier: Zeroizing::new("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk".to_owned()),
        started_at: NOW,
    };
    let url = login.authorization_url(
        "https://issuer.example/authorize",
        "a b",
        "https://approve.example/callback",
        "openid email",
    );
    assert_eq!(
        url,
        "https://issuer.example/authorize?response_type=code&client_id=a%20b&redirect_uri=https%3A%2F%2Fapprove.example%2Fcallback\
         &scope=openid%20email&state=s&nonce=n&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
    );
    assert!(
        login
            .authorization_url("https://i.example/a?p=1", "c", "r", "openid")
            .starts_with("https://i.example/a?p=1&response_type")
    );
    assert_eq!(
        *login.token_request(&callback("s"), "c&d", "https://approve.example/callback"),
        "grant_type=authorization_code&code=c&redirect_uri=https%3A%2F%2Fapprove.example%2Fcallback&client_id=c%26d\
         &code_verifier=dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
    );
}

#[test]
fn a_sign_in_ends_in_the_browser_that_began_it() {
    let sealer = sealer(1);
    let login = sealer.begin_login("https://issuer.example", "/requests/r-1?x=1", NOW).unwrap();
    let cookie = sealer.seal_login(&login).unwrap();
    let opened = sealer.open_login(&cookie, &callback(&login.state), NOW.plus(LOGIN_LIFETIME)).unwrap();
    assert_eq!((opened.nonce.as_str(), opened.return_to.as_str()), (login.nonce.as_str(), "/requests/r-1?x=1"));
    assert_eq!(*opened.code_verifier, *login.code_verifier);

    let open =
        |cookie: &str, callback: &Callback, now| sealer.open_login(cookie, callback, now).map(|_| ()).unwrap_err();
    assert_eq!(open(&cookie, &callback("another"), NOW), SignInError::State);
    assert_eq!(open(&cookie, &callback(""), NOW), SignInError::State);
    assert_eq!(open("", &callback(&login.state), NOW), SignInError::State);
    assert_eq!(
        open(&cookie, &callback(&login.state), NOW.plus(LOGIN_LIFETIME + Duration::from_secs(1))),
        SignInError::Expired
    );
    let mixed_up = Callback { unverified_issuer: Some("https://evil.example".to_owned()), ..callback(&login.state) };
    assert!(matches!(open(&cookie, &mixed_up, NOW), SignInError::Malformed(_)));
    let other = sealer.begin_login("https://issuer.example", "/", NOW).unwrap();
    assert_ne!(
        (&other.state, &other.nonce, &*other.code_verifier),
        (&login.state, &login.nonce, &*login.code_verifier)
    );
    // A session cookie is no sign-in, nor the other way round.
    let person = sealer.seal_person(&person_session(1)).unwrap();
    assert_eq!(open(&person, &callback(&login.state), NOW), SignInError::State);
    assert_eq!(sealer.open_person(&cookie, NOW).unwrap_err(), SignInError::State);
}

#[test]
fn only_paths_of_ours_are_returned_to() {
    for (path, fits) in [
        ("/", true),
        ("/requests/r-aaa?view=1#top", true),
        ("", false),
        ("//evil.example", false),
        ("/\\evil.example", false),
        ("https://evil.example", false),
        ("javascript:alert(1)", false),
        ("/\t/evil.example", false),
        ("/a\nSet-Cookie: x", false),
        ("/ä", false),
    ] {
        assert_eq!(sealer(1).begin_login("i", path, NOW).is_ok(), fits, "{path:?}");
    }
}

#[test]
fn person_sessions_open_until_they_end() {
    let sealer_one = sealer(1);
    let session = person_session(1);
    let cookie = sealer_one.seal_person(&session).unwrap();
    assert_eq!(sealer_one.open_person(&cookie, NOW).unwrap(), session);
    assert_eq!(sealer_one.open_person(&cookie, session.expires_at).unwrap_err(), SignInError::Expired);
    assert_eq!(sealer(2).open_person(&cookie, NOW).unwrap_err(), SignInError::State);
    for place in 0..cookie.len() {
        let mut bytes = cookie.clone().into_bytes();
        bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(bytes).unwrap();
        assert_eq!(sealer_one.open_person(&changed, NOW).unwrap_err(), SignInError::State, "{place}");
    }
    let bare = PersonSession { authenticated_at: None, methods: vec![], ..session };
    assert_eq!(sealer_one.open_person(&sealer_one.seal_person(&bare).unwrap(), NOW).unwrap(), bare);
}

#[test]
fn form_tokens_fit_one_session_and_one_request() {
    let sealer_one = sealer(1);
    let (request, other_request) = (RequestId::from_random([1; 16]), RequestId::from_random([2; 16]));
    let session = person_session(1);
    let token = sealer_one.form_token(&session, &request).unwrap();
    assert_eq!(sealer_one.check_form_token(&session, &request, &token), Ok(()));
    let refused = Err(SignInError::FormToken);
    assert_eq!(sealer_one.check_form_token(&session, &other_request, &token), refused);
    assert_eq!(sealer_one.check_form_token(&person_session(2), &request, &token), refused);
    assert_eq!(sealer_one.check_form_token(&session, &request, ""), refused);
    assert_eq!(sealer(2).check_form_token(&session, &request, &token), refused);
    let newest = SealingKey::new("k2", &Zeroizing::new(vec![9; 32])).unwrap();
    let older = SealingKey::new("k1", &Zeroizing::new(vec![1; 32])).unwrap();
    let ring = Sealer::with_older(newest, vec![older]).unwrap();
    assert_eq!(ring.check_form_token(&session, &request, &token), Ok(()));
}

#[test]
fn redirects_are_read_strictly() {
    let good = Callback::parse("code=a%2Fb&state=s&iss=https%3A%2F%2Fissuer.example&session_state=x").unwrap();
    assert_eq!(good.unverified_code, "a/b");
    assert_eq!(good.unverified_issuer.as_deref(), Some("https://issuer.example"));
    for (query, expected) in [
        ("state=s", SignInError::Malformed("it has no code")),
        ("code=&state=s", SignInError::Malformed("it has no code")),
        ("code=c", SignInError::Malformed("it has no state")),
        ("code=c&code=d&state=s", SignInError::Malformed("a member is given twice")),
        ("code=%zz&state=s", SignInError::Malformed("a value is badly escaped")),
        ("error=access_denied&state=s", SignInError::Refused("access_denied".to_owned())),
        ("error=%3Cscript%3E&code=c&state=s", SignInError::Refused("script".to_owned())),
    ] {
        assert_eq!(Callback::parse(query).unwrap_err(), expected, "{query}");
    }
}

#[test]
fn token_responses_are_read_strictly() {
    let good = br#"{"access_token":"x","token_type":"Bearer","id_token":"a.b.c","expires_in":60}"#;
    assert_eq!(*unverified_id_token(good).unwrap(), "a.b.c");
    for (response, expected) in [
        (r#"{"access_token":"x"}"#, SignInError::Malformed("it has no id token")),
        (r#"{"id_token":1}"#, SignInError::Malformed("it has no id token")),
        (r#"{"id_token":"a","id_token":"b"}"#, SignInError::Malformed("its json names a member twice")),
        (r#"{"error":"invalid_grant"}"#, SignInError::Refused("invalid_grant".to_owned())),
        ("<html>", SignInError::Malformed("it is not json")),
    ] {
        assert_eq!(unverified_id_token(response.as_bytes()).unwrap_err(), expected, "{response}");
    }
}

#[test]
fn cookies_are_for_this_host_and_never_doubled() {
    assert_eq!(
        set_cookie(PERSON_COOKIE, "v", Duration::from_secs(60)),
        "__Host-countersign-person=v; Max-Age=60; Path=/; Secure; HttpOnly; SameSite=Lax"
    );
    assert!(remove_cookie(PERSON_COOKIE).contains("=; Max-Age=0;"));
    assert_eq!(cookie(["a=1; b=2", "c=3=4"], "b"), Some("2"));
    assert_eq!(cookie(["a=1; b=2", "c=3=4"], "c"), Some("3=4"));
    assert_eq!(cookie(["a=1; a=2"], "a"), None);
    assert_eq!(cookie(["a=1"], "b"), None);
}
