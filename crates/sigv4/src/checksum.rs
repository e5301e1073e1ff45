//! The checksums that may come in a trailer.

use base64::{Engine, engine::general_purpose::STANDARD};
use crc::{CRC_32_ISCSI, CRC_32_ISO_HDLC, CRC_64_NVME, Crc, Table};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

static CRC32: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISO_HDLC);
static CRC32C: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISCSI);
static CRC64NVME: Crc<u64, Table<16>> = Crc::<u64, Table<16>>::new(&CRC_64_NVME);

/// A checksum that can be verified. (`x-amz-checksum-md5` and the xxHash family are not: no SDK sends them
/// unless told to.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Checksum {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
    Sha512,
}

impl Checksum {
    /// By the lower-case name of the trailer.
    pub(crate) fn of_trailer(name: &str) -> Option<Self> {
        match name {
            "x-amz-checksum-crc32" => Some(Self::Crc32),
            "x-amz-checksum-crc32c" => Some(Self::Crc32c),
            "x-amz-checksum-crc64nvme" => Some(Self::Crc64Nvme),
            "x-amz-checksum-sha1" => Some(Self::Sha1),
            "x-amz-checksum-sha256" => Some(Self::Sha256),
            "x-amz-checksum-sha512" => Some(Self::Sha512),
            _ => None,
        }
    }

    /// The checksum of the data as trailers spell it: base64 of the octets, most significant first.
    pub(crate) fn of(self, data: &[u8]) -> String {
        match self {
            Self::Crc32 => STANDARD.encode(CRC32.checksum(data).to_be_bytes()),
            Self::Crc32c => STANDARD.encode(CRC32C.checksum(data).to_be_bytes()),
            Self::Crc64Nvme => STANDARD.encode(CRC64NVME.checksum(data).to_be_bytes()),
            Self::Sha1 => STANDARD.encode(Sha1::digest(data)),
            Self::Sha256 => STANDARD.encode(Sha256::digest(data)),
            Self::Sha512 => STANDARD.encode(Sha512::digest(data)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check values of the CRC catalogue, and the digests of FIPS 180-4's "abc".
    #[test]
    fn known_answers() {
        let be32 = |value: u32| STANDARD.encode(value.to_be_bytes());
        assert_eq!(Checksum::Crc32.of(b"123456789"), be32(0xcbf4_3926));
        assert_eq!(Checksum::Crc32c.of(b"123456789"), be32(0xe306_9283));
        assert_eq!(Checksum::Crc64Nvme.of(b"123456789"), STANDARD.encode(0xae8b_1486_0a79_9888_u64.to_be_bytes()));
        assert_eq!(Checksum::Sha1.of(b"abc"), "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=");
        assert_eq!(Checksum::Sha256.of(b"abc"), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
        assert!(Checksum::Sha512.of(b"abc").starts_with("3a81oZNherrMQXNJriBBMRLm"));
        // the trailer of the example in the Amazon S3 API reference
        assert_eq!(Checksum::Crc32c.of(&[b'a'; 66_560]), "sOO8/Q==");
    }

    #[test]
    fn names_are_exact() {
        assert_eq!(Checksum::of_trailer("x-amz-checksum-crc64nvme"), Some(Checksum::Crc64Nvme));
        for name in ["x-amz-checksum-md5", "x-amz-checksum-CRC32", "x-amz-meta-a", "x-amz-checksum-", ""] {
            assert_eq!(Checksum::of_trailer(name), None);
        }
    }
}
