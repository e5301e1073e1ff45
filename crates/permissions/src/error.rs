//! Why no permissions can be given.

/// Why [`crate::Permissions::of`] has no answer. Every case is a denial.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PermissionsError {
    /// The service is not in the permission data.
    #[error("the permission data has no service `{service}`")]
    UnknownService {
        /// The service id that was asked for.
        service: String,
    },
    /// The operation is not in the permission data.
    #[error("the permission data has no operation `{operation}` of `{service}`")]
    UnknownOperation {
        /// The service id that was asked for.
        service: String,
        /// The operation that was asked for.
        operation: String,
    },
    /// The call's HTTP method is not the one that the service model gives the operation, and the
    /// IAM action of this service is the method.
    #[error("`{operation}` of `{service}` is sent with `{expected}`, not with `{method}`")]
    OtherMethod {
        /// The service id that was asked for.
        service: String,
        /// The operation that was asked for.
        operation: String,
        /// The method of the service model.
        expected: String,
        /// The method of the request.
        method: String,
    },
    /// The call names more resources than any call that AWS takes.
    #[error("the call needs {count} permissions, more than the limit of {limit}")]
    TooMany {
        /// How many it needs.
        count: usize,
        /// The limit.
        limit: usize,
    },
    /// The embedded data is damaged.
    #[error("the permission data of `{frame}` is damaged")]
    Damaged {
        /// The service or IAM prefix whose data it is.
        frame: String,
    },
}
