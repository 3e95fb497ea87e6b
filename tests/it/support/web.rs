//! What else may stand where an API or a feed should: a web page, or nobody.

use std::net::SocketAddr;

use axum::Router;
use axum::http::{StatusCode, header};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::JoinHandle;

/// Serves until it is dropped.
pub struct Page {
    address: SocketAddr,
    server: JoinHandle<()>,
}

/// A port that is taken and on which nobody listens, so that every connection is refused.
pub struct Nobody(TcpSocket);

impl Page {
    /// Answers every request with this.
    pub async fn serve(status: StatusCode, kind: &'static str, body: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answer = move || async move { (status, [(header::CONTENT_TYPE, kind)], body) };
        let router = Router::new().fallback(answer);
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, server }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Nobody {
    pub fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        Self(socket)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.server.abort();
    }
}
