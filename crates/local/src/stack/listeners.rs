//! The ports of the stack, all opened before anything is told where the others are.

use std::collections::BTreeMap;

use tokio::net::TcpListener;

use crate::{error::StackError, lambda_host::LambdaHost, plan::Plan, web};

/// An open port.
pub(super) struct Port {
    pub(super) listener: TcpListener,
    pub(super) number: u16,
}

impl Port {
    async fn open() -> Result<Self, StackError> {
        web::listen().await.map(|(listener, number)| Self { listener, number })
    }

    /// The base URL, without a slash at the end.
    pub(super) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.number)
    }
}

/// Every port.
pub(super) struct Listeners {
    pub(super) front: Port,
    pub(super) upstream: Port,
    pub(super) control: Port,
    pub(super) inbox: Port,
    pub(super) smtp: Port,
    pub(super) issuer: Port,
    pub(super) function_url: Port,
    /// HTTP APIs by logical id.
    pub(super) apis: BTreeMap<String, Port>,
}

impl Listeners {
    pub(super) async fn open(apis: &[String]) -> Result<Self, StackError> {
        let mut opened = BTreeMap::new();
        for api in apis {
            opened.insert(api.clone(), Port::open().await?);
        }
        Ok(Self {
            front: Port::open().await?,
            upstream: Port::open().await?,
            control: Port::open().await?,
            inbox: Port::open().await?,
            smtp: Port::open().await?,
            issuer: Port::open().await?,
            function_url: Port::open().await?,
            apis: opened,
        })
    }

    /// The URL of the HTTP API that leads to a function.
    pub(super) fn api_of(&self, plan: &Plan, lambda: &LambdaHost, function: &str) -> Option<String> {
        let functions: Vec<_> = lambda.configs().cloned().collect();
        let routes = plan.routes(&functions).ok()?;
        let (api, _) = routes.iter().find(|(_, routes)| routes.iter().any(|route| route.function == function))?;
        self.apis.get(api).map(Port::url)
    }
}
