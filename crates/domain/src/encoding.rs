//! The length-prefixed encoding under every digest and certificate.
//!
//! Each field is its length as an unsigned 64-bit big-endian number and then its bytes, so that no
//! two different lists of fields have the same encoding. A structure starts with a domain tag,
//! so that bytes made for one purpose never stand for another.

/// Writes fields.
#[derive(Debug)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// Starts with the domain tag, as in `countersign/frozen/v1`.
    pub fn new(domain_tag: &str) -> Self {
        let mut writer = Self(Vec::with_capacity(512));
        writer.text(domain_tag);
        writer
    }

    /// One field of bytes.
    pub fn bytes(&mut self, field: &[u8]) -> &mut Self {
        self.0.extend_from_slice(&(field.len() as u64).to_be_bytes());
        self.0.extend_from_slice(field);
        self
    }

    /// One field of text.
    pub fn text(&mut self, field: &str) -> &mut Self {
        self.bytes(field.as_bytes())
    }

    /// One field of eight bytes.
    pub fn number(&mut self, field: u64) -> &mut Self {
        self.bytes(&field.to_be_bytes())
    }

    /// The bytes written.
    pub fn finish(self) -> Vec<u8> {
        self.0
    }
}

/// Why bytes are not what a [`Writer`] wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Another domain tag, so made for another purpose or by another version.
    #[error("the domain tag is not `{0}`")]
    DomainTag(&'static str),
    /// The bytes end inside a field.
    #[error("the bytes end inside a field")]
    Truncated,
    /// Bytes follow the last field.
    #[error("bytes follow the last field")]
    TrailingBytes,
    /// A text field is not UTF-8.
    #[error("a text field is not utf-8")]
    NotUtf8,
    /// A field has a value that its type does not allow.
    #[error("the field `{0}` is not valid")]
    Field(&'static str),
}

/// Reads what a [`Writer`] wrote.
#[derive(Debug)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Starts behind the domain tag.
    ///
    /// # Errors
    /// When the tag is another one.
    pub fn new(bytes: &'a [u8], domain_tag: &'static str) -> Result<Self, DecodeError> {
        let mut reader = Self(bytes);
        match reader.text() {
            Ok(tag) if tag == domain_tag => Ok(reader),
            _ => Err(DecodeError::DomainTag(domain_tag)),
        }
    }

    /// One field of bytes.
    ///
    /// # Errors
    /// When the bytes end inside it.
    pub fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        let (length, rest) = self.0.split_first_chunk::<8>().ok_or(DecodeError::Truncated)?;
        let length = usize::try_from(u64::from_be_bytes(*length)).map_err(|_| DecodeError::Truncated)?;
        let (field, rest) = rest.split_at_checked(length).ok_or(DecodeError::Truncated)?;
        self.0 = rest;
        Ok(field)
    }

    /// One field of text.
    ///
    /// # Errors
    /// When the bytes end inside it or are not UTF-8.
    pub fn text(&mut self) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.bytes()?).map_err(|_| DecodeError::NotUtf8)
    }

    /// One number.
    ///
    /// # Errors
    /// When the field is not eight bytes.
    pub fn number(&mut self) -> Result<u64, DecodeError> {
        let field = self.bytes()?;
        field.try_into().map(u64::from_be_bytes).map_err(|_| DecodeError::Truncated)
    }

    /// Checks that nothing follows.
    ///
    /// # Errors
    /// When bytes follow.
    pub fn finish(self) -> Result<(), DecodeError> {
        if self.0.is_empty() { Ok(()) } else { Err(DecodeError::TrailingBytes) }
    }
}
