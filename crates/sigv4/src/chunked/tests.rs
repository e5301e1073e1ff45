use proptest::prelude::*;

use super::*;
use crate::{Scope, SecretKey};

/// The examples of the Amazon S3 API reference: 65 KiB of `a` in chunks of 64 KiB.
mod documented {
    use super::*;

    fn signer(seed: &str) -> ChunkSigner {
        let scope = Scope { date: "20130524".into(), region: "us-east-1".into(), service: "s3".into() };
        let key = SecretKey::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY").signing_key(&scope);
        ChunkSigner::new(key, "20130524T000000Z", &scope, &Signature::parse(seed).unwrap())
    }

    fn wire(signatures: [&str; 3], trailers: &str) -> Bytes {
        let [first, second, last] = signatures;
        let (large, small) = ("a".repeat(65_536), "a".repeat(1024));
        Bytes::from(format!(
            "10000;chunk-signature={first}\r\n{large}\r\n400;chunk-signature={second}\r\n{small}\r\n\
             0;chunk-signature={last}\r\n{trailers}\r\n"
        ))
    }

    const SEED: &str = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
    const CHUNKS: [&str; 3] = [
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    ];
    const TRAILER_SEED: &str = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e";
    const TRAILER_CHUNKS: [&str; 3] = [
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    ];
    const TRAILER: &str = "x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:";
    const TRAILER_SIGNATURE: &str = "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435";

    fn decode_chunks(wire: &Bytes) -> Result<Decoded, SignatureError> {
        decode(wire, Framing { decoded_length: 66_560, signer: Some(signer(SEED)), trailers: None })
    }

    fn decode_trailers(wire: &Bytes) -> Result<Decoded, SignatureError> {
        let trailers = Some(vec!["x-amz-checksum-crc32c"]);
        decode(wire, Framing { decoded_length: 66_560, signer: Some(signer(TRAILER_SEED)), trailers })
    }

    #[test]
    fn chunks_verify() {
        let decoded = decode_chunks(&wire(CHUNKS, "")).unwrap();
        assert_eq!(decoded.data, vec![b'a'; 66_560]);
    }

    #[test]
    fn trailers_verify() {
        let decoded = decode_trailers(&wire(TRAILER_CHUNKS, &format!("{TRAILER}{TRAILER_SIGNATURE}\r\n"))).unwrap();
        assert_eq!(decoded.trailers, [("x-amz-checksum-crc32c".to_owned(), "sOO8/Q==".to_owned())]);
    }

    #[test]
    fn each_signature_and_each_byte_counts() {
        use SignatureError as E;
        for (which, _) in CHUNKS.iter().enumerate() {
            let mut chunks = CHUNKS;
            chunks[which] = TRAILER_SEED;
            assert_eq!(decode_chunks(&wire(chunks, "")), Err(E::ChunkSignature));
        }
        let changed = |at: usize| {
            let mut bytes = wire(CHUNKS, "").to_vec();
            bytes[at] = b'b';
            decode_chunks(&bytes.into())
        };
        for at in [100, 30_000, 65_600, 66_700] {
            assert_eq!(changed(at), Err(E::ChunkSignature), "{at}");
        }
        let text = String::from_utf8(wire(CHUNKS, "").to_vec()).unwrap();
        let unsigned = text.replacen(&format!(";chunk-signature={}", CHUNKS[1]), "", 1);
        assert_eq!(decode_chunks(&unsigned.into()), Err(E::ChunkSignature));
        let other = text.replacen("chunk-signature", "chunk-Signature", 1);
        assert_eq!(decode_chunks(&other.into()), Err(E::ChunkSignature));
    }

    #[test]
    fn the_chain_has_an_order_and_an_end() {
        use SignatureError as E;
        // chunks of this body, in another order or without the last ones
        let (large, small) = ("a".repeat(65_536), "a".repeat(1024));
        let [first, second, last] = CHUNKS;
        let swapped = format!(
            "400;chunk-signature={second}\r\n{small}\r\n10000;chunk-signature={first}\r\n{large}\r\n\
             0;chunk-signature={last}\r\n\r\n"
        );
        assert_eq!(decode_chunks(&swapped.into()), Err(E::ChunkSignature));
        let short = format!("10000;chunk-signature={first}\r\n{large}\r\n0;chunk-signature={last}\r\n\r\n");
        let framing = || Framing { decoded_length: 65_536, signer: Some(signer(SEED)), trailers: None };
        assert_eq!(decode(&short.into(), framing()), Err(E::ChunkSignature));
        let endless = format!("10000;chunk-signature={first}\r\n{large}\r\n");
        assert_eq!(decode(&endless.into(), framing()), Err(E::ChunkFraming));
    }

    #[test]
    fn trailers_are_covered() {
        use SignatureError as E;
        for (trailers, reason) in [
            (format!("{TRAILER}{SEED}\r\n"), E::TrailerSignature),
            (format!("{TRAILER}00\r\n"), E::TrailerSignature),
            ("x-amz-checksum-crc32c:sOO8/Q==\r\n".to_owned(), E::TrailerSignature),
            (
                format!("x-amz-checksum-crc32c:AAAAAA==\r\nx-amz-trailer-signature:{TRAILER_SIGNATURE}\r\n"),
                E::TrailerSignature,
            ),
            (
                format!("x-amz-trailer-signature:{TRAILER_SIGNATURE}\r\nx-amz-checksum-crc32c:sOO8/Q==\r\n"),
                E::TrailerSignature,
            ),
            (
                format!("{TRAILER}{TRAILER_SIGNATURE}\r\nx-amz-trailer-signature:{TRAILER_SIGNATURE}\r\n"),
                E::TrailerSignature,
            ),
            (format!("x-amz-trailer-signature:{TRAILER_SIGNATURE}\r\n"), E::MissingTrailer),
            (format!("x-amz-acl:p\r\n{TRAILER}{TRAILER_SIGNATURE}\r\n"), E::UndeclaredTrailer),
        ] {
            assert_eq!(decode_trailers(&wire(TRAILER_CHUNKS, &trailers)), Err(reason), "{trailers}");
        }
        // trailers where the payload statement allows none
        let with_trailers = wire(CHUNKS, &format!("{TRAILER}{TRAILER_SIGNATURE}\r\n"));
        assert_eq!(decode_chunks(&with_trailers), Err(E::UndeclaredTrailer));
    }
}

#[test]
fn one_chunk_is_not_copied() {
    let wire = Bytes::from_static(b"4\r\ndata\r\n0\r\n\r\n");
    let decoded = decode(&wire, Framing { decoded_length: 4, signer: None, trailers: None }).unwrap();
    assert_eq!(decoded.data.as_ptr(), wire.slice(3..).as_ptr());
}

#[test]
fn declarations() {
    let declared = |list: &'static str| declared_trailers(Some(list));
    assert_eq!(declared_trailers(None), Ok(vec![]));
    assert_eq!(declared("x-amz-checksum-sha1 , x-amz-checksum-crc32").unwrap().len(), 2);
    for list in ["", ",", "x-amz-checksum-sha1,", "x-amz-meta-a", "X-Amz-Checksum-Sha1"] {
        assert_eq!(declared(list), Err(SignatureError::UnknownTrailer), "{list}");
    }
    assert_eq!(declared("x-amz-checksum-sha1,x-amz-checksum-sha1"), Err(SignatureError::DuplicateTrailer));
}

/// Frames data in chunks of the sizes given, with a checksum behind.
fn framed(data: &[u8], sizes: &[usize]) -> Vec<u8> {
    let mut wire = Vec::new();
    let mut rest = data;
    let mut sizes = sizes.iter().copied().chain(std::iter::repeat(usize::MAX));
    while !rest.is_empty() {
        let (chunk, behind) = rest.split_at(sizes.next().unwrap().clamp(1, rest.len()));
        wire.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        wire.extend_from_slice(chunk);
        wire.extend_from_slice(b"\r\n");
        rest = behind;
    }
    wire.extend_from_slice(format!("0\r\nx-amz-checksum-sha256:{}\r\n\r\n", Checksum::Sha256.of(data)).as_bytes());
    wire
}

fn unframe(wire: Vec<u8>, decoded_length: usize) -> Result<Decoded, SignatureError> {
    decode(&wire.into(), Framing { decoded_length, signer: None, trailers: Some(vec!["x-amz-checksum-sha256"]) })
}

/// Six megabytes are the most that reach a function, and take six bytes for each byte of data: work that grew with the
/// square of the chunks would not end.
#[test]
fn a_million_chunks_are_read_one_by_one() {
    let data = vec![b'a'; 1_000_000];
    let wire = framed(&data, &vec![1; data.len()]);
    assert!(wire.len() > 6_000_000);
    assert_eq!(unframe(wire, data.len()).unwrap().data, data);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_chunks_give_the_data(data: Vec<u8>, sizes in prop::collection::vec(1..40_usize, 0..6)) {
        prop_assert_eq!(unframe(framed(&data, &sizes), data.len()).unwrap().data, data);
    }

    #[test]
    fn another_length_is_refused(data: Vec<u8>, sizes in prop::collection::vec(1..40_usize, 0..6), length: usize) {
        prop_assume!(length != data.len());
        prop_assert_eq!(unframe(framed(&data, &sizes), length), Err(SignatureError::DecodedLength));
    }

    #[test]
    fn what_is_cut_short_is_refused(data: Vec<u8>, sizes in prop::collection::vec(1..40_usize, 0..6), at: prop::sample::Index) {
        let mut wire = framed(&data, &sizes);
        wire.truncate(at.index(wire.len()));
        prop_assert!(unframe(wire, data.len()).is_err());
    }

    /// Damage is seen, or it changed nothing but the spelling of a size or a name.
    #[test]
    fn damage_is_seen(
        data: Vec<u8>, sizes in prop::collection::vec(1..40_usize, 0..6),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<Option<u8>>(), any::<bool>()), 1..4),
    ) {
        let mut wire = framed(&data, &sizes);
        for (at, byte, insert) in damage {
            let at = at.index(wire.len());
            match byte {
                Some(byte) if insert => wire.insert(at, byte),
                Some(byte) => wire[at] = byte,
                None => drop(wire.remove(at)),
            }
        }
        if let Ok(decoded) = unframe(wire, data.len()) {
            prop_assert_eq!(decoded.data, data);
        }
    }

    #[test]
    fn noise_does_not_panic(wire: Vec<u8>, length in 0..64_usize) {
        let _ = unframe(wire, length);
    }

    #[test]
    fn noise_of_the_right_letters_does_not_panic(wire in "[0-9a-f;:=\r\n]{0,60}", length in 0..64_usize) {
        let _ = unframe(wire.into_bytes(), length);
    }
}
