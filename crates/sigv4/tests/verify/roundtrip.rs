//! Laws: what `aws-sigv4` signs verifies, and what is changed afterwards does not.

use countersign_sigv4::PayloadKind;
use proptest::prelude::*;

use crate::signer::{HEADER, KEY_ID, Request, S3, Signing, encoded, signed};

/// Every way of signing that both `aws-sigv4` and we have.
fn signings() -> impl Strategy<Value = Signing> {
    let service = prop::sample::select(vec![
        "dynamodb",
        "lambda",
        "iam",
        "IoTSecuredTunneling",
        "s3",
        "s3-outposts",
        "s3express",
    ]);
    let token = prop::option::of(Just("cs1.AbC/+=="));
    let payload = prop::option::of(Just("UNSIGNED-PAYLOAD"));
    (service, prop::option::of(1..604_800_u64), token, any::<bool>(), payload).prop_map(
        |(service, presigned, token, hash_header, payload)| {
            let is_s3 = countersign_sigv4::is_s3_family(service);
            let payload =
                if is_s3 && (presigned.is_some() || payload.is_some()) { Some("UNSIGNED-PAYLOAD") } else { None };
            Signing { service, presigned, token, payload, hash_header: hash_header && presigned.is_none(), ..HEADER }
        },
    )
}

/// Segments as clients escape them. Outside the S3 family other spellings of the same are signed too.
fn path(is_s3: bool) -> impl Strategy<Value = String> {
    let segment = (any::<String>(), any::<bool>()).prop_map(move |(text, plain)| {
        let keep = if plain && !is_s3 { "!$&'()*+,;=:@" } else { "" };
        match encoded(text.as_bytes(), keep).as_str() {
            "" | "." | ".." if !is_s3 => "x".to_owned(),
            segment => segment.to_owned(),
        }
    });
    (prop::collection::vec(segment, 0..4), any::<bool>()).prop_map(|(segments, slash)| {
        let end = if slash && !segments.is_empty() { "/" } else { "" };
        format!("/{}{end}", segments.join("/"))
    })
}

fn query() -> impl Strategy<Value = String> {
    let keep = prop::sample::select(vec!["", "/:,", "+"]);
    let member = ("\\PC{0,8}", prop::option::of("\\PC{0,8}"), keep).prop_map(|(name, value, keep)| {
        let name = encoded(name.as_bytes(), keep);
        value.map_or(name.clone(), |value| format!("{name}={}", encoded(value.as_bytes(), keep)))
    });
    prop::collection::vec(member, 0..4).prop_map(|members| members.join("&"))
}

fn headers() -> impl Strategy<Value = Vec<(String, String)>> {
    let meta = ("x-amz-meta-[a-z]{1,3}", "[ !-~]{0,20}");
    let other = (prop::sample::select(vec!["content-type", "range", "x-amz-target", "accept"]), "[!-~][ !-~]{0,20}");
    (prop::collection::vec(meta, 0..4), prop::option::of(other)).prop_map(|(mut metas, other)| {
        metas.extend(other.map(|(name, value)| (name.to_owned(), value)));
        metas
    })
}

fn requests() -> impl Strategy<Value = (Request, Signing)> {
    signings().prop_flat_map(|how| {
        let method = prop::sample::select(vec!["GET", "PUT", "POST", "DELETE", "HEAD"]);
        let parts = (method, path(countersign_sigv4::is_s3_family(how.service)), query(), headers());
        (parts, prop::collection::vec(any::<u8>(), 0..200)).prop_map(move |((method, path, query, headers), body)| {
            let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            (Request::new(method, &path, &query, &headers, &body), how)
        })
    })
}

/// What a query says, however it is spelled.
fn members(query: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut members: Vec<_> = query
        .split('&')
        .filter(|member| !member.is_empty())
        .map(|member| member.split_once('=').unwrap_or((member, "")))
        .map(|(name, value)| (octets(&name.replace('+', " ")), octets(&value.replace('+', " "))))
        .collect();
    members.sort();
    members
}

/// Decodes escapes; those of slashes are told from slashes.
fn octets(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let digits = behind.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if *first == b'%' => {
                out.extend(if byte == b'/' { vec![0, b'/'] } else { vec![byte] });
                rest = &behind[2..];
            }
            _ => {
                out.push(*first);
                rest = behind;
            }
        }
    }
    out
}

/// Puts another byte at one place; `None` where that is no text any more.
fn flip(text: &str, at: prop::sample::Index, to: u8) -> Option<String> {
    if text.is_empty() {
        return None;
    }
    let mut bytes = text.as_bytes().to_vec();
    let place = at.index(bytes.len());
    bytes[place] = if bytes[place] == to { to ^ 1 } else { to };
    String::from_utf8(bytes).ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_signed_verifies((request, how) in requests()) {
        let signed = signed(request.clone(), &how);
        let verified = signed.verify().map_err(|error| TestCaseError::fail(format!("{error}: {signed:?}")))?;
        prop_assert_eq!(&verified.body, &request.body);
        prop_assert_eq!(verified.scope.service, how.service);
        prop_assert_eq!(verified.presigned_expires.is_some(), how.presigned.is_some());
        let kind = if how.payload.is_some() { PayloadKind::Unsigned } else { PayloadKind::Hashed };
        prop_assert_eq!(verified.payload, kind);
    }

    #[test]
    fn a_flipped_byte_of_the_method_fails((request, how) in requests(), at: prop::sample::Index, to in b'A'..=b'Z') {
        let mut signed = signed(request, &how);
        signed.method = flip(&signed.method, at, to).unwrap();
        prop_assert!(signed.verify().is_err());
    }

    #[test]
    fn a_flipped_byte_of_the_path_fails((request, how) in requests(), at: prop::sample::Index, to in b' '..=b'~') {
        let mut signed = signed(request, &how);
        let Some(flipped) = flip(&signed.path, at, to) else { return Ok(()) };
        // `%c3` and `%C3` are one octet: Amazon S3 signs octets, all others sign the spelling
        let same = countersign_sigv4::is_s3_family(how.service) && octets(&signed.path) == octets(&flipped);
        signed.path = flipped;
        prop_assert_eq!(signed.verify().is_ok(), same, "{:?}", signed);
    }

    #[test]
    fn a_flipped_byte_of_the_query_fails((request, how) in requests(), at: prop::sample::Index, to in b' '..=b'~') {
        let mut signed = signed(request, &how);
        let Some(flipped) = flip(&signed.query, at, to) else { return Ok(()) };
        let same = members(&signed.query) == members(&flipped);
        signed.query = flipped;
        prop_assert_eq!(signed.verify().is_ok(), same, "{:?}", signed);
    }

    #[test]
    fn a_flipped_byte_of_a_signed_header_fails(
        (request, how) in requests(), which: prop::sample::Index, at: prop::sample::Index, to in b' '..=b'~', name: bool,
    ) {
        let mut signed = signed(request, &how);
        let header = which.get_mut(&mut signed.headers);
        let text = if name { &mut header.0 } else { &mut header.1 };
        let Some(flipped) = flip(text, at, to) else { return Ok(()) };
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        // the access key id is covered by nothing but the choice of the secret, which is fixed here
        let key_id = |text: &str| text.split_once("Credential=").map(|(_, text)| text.split_at(KEY_ID.len()).0.to_owned());
        let other_key_id = key_id(&flipped).filter(|id| key_id(text).is_some_and(|was| was != *id));
        let is_key_id = other_key_id.is_some_and(|id| id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
        let same = !name && (words(text) == words(&flipped) || is_key_id);
        *text = flipped;
        prop_assert_eq!(signed.verify().is_ok(), same, "{:?}", signed);
    }

    #[test]
    fn a_flipped_byte_of_the_body_fails(
        (request, how) in requests(), at: prop::sample::Index, mask in 1_u8..,
    ) {
        let mut signed = signed(request, &how);
        let mut body = signed.body.to_vec();
        if body.is_empty() {
            body.push(mask);
        } else {
            *at.get_mut(&mut body) ^= mask;
        }
        signed.body = body.into();
        prop_assert_eq!(signed.verify().is_ok(), how.payload.is_some());
    }

    #[test]
    fn another_secret_fails((request, how) in requests(), secret in "\\PC{0,80}") {
        let signed = signed(request, &how);
        let now = countersign_domain::Timestamp::from_secs(crate::signer::NOW);
        let outcome = signed.verify_at(&secret, now, &countersign_sigv4::Options::default());
        prop_assert_eq!(outcome.unwrap_err(), countersign_sigv4::SignatureError::SignatureMismatch);
    }
}

/// Headers that came on several lines are joined as `aws-sigv4` joins them.
#[test]
fn several_values_of_a_header() {
    let headers = [("x-amz-object-attributes", "ETag"), ("x-amz-object-attributes", " Checksum ")];
    let request = signed(Request::new("GET", "/b/k", "attributes", &headers, b""), &S3);
    request.verify().unwrap();
    let mut swapped = request;
    swapped.headers.swap(1, 2);
    swapped.verify().unwrap_err();
}
