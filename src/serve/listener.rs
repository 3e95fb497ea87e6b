//! The listener: bounded in connections, in headers and in time, and open over reloads.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use secrecy::ExposeSecret;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::Http;

use super::gate::{self, Gate, Gates};
use super::{Desk, ServeError, routes};

/// Connections at a time; further ones wait in the system's queue.
const CONNECTIONS: usize = 64;

/// A request's head must have come by then; so long an idle connection is kept, too.
const HEAD: Duration = Duration::from_secs(30);

/// Bytes of a request's head.
const HEAD_SIZE: usize = 16 << 10;

/// Headers of a request.
const HEADERS: usize = 64;

/// A connection is ended after so long, when its present answer is done.
const LIFE: Duration = Duration::from_secs(600);

/// How long answers that are under way may take to end.
const GRACE: Duration = Duration::from_secs(3);

/// A token shorter than this can be guessed.
const SHORTEST_TOKEN: usize = 16;

/// How long to wait where the system has no connection to give.
const BREATH: Duration = Duration::from_millis(200);

/// Listens where the config says, or nowhere.
#[derive(Debug)]
pub struct Server {
    desk: Arc<Desk>,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    http: Http,
    gates: Gates,
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    /// A server that listens nowhere yet.
    #[must_use]
    pub fn new(desk: Arc<Desk>) -> Self {
        Self {
            desk,
            running: None,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.running.as_ref().map(|running| running.address)
    }

    /// Listens as `http` says from now on. The token is read anew; a listener that stays keeps its connections.
    ///
    /// # Errors
    /// When the token cannot be read, or nothing can listen there; what was served before is served on.
    pub async fn apply(&mut self, http: Option<&Http>) -> Result<(), ServeError> {
        let Some(http) = http else {
            self.close().await;
            return Ok(());
        };
        let gate = Arc::new(gate_of(http)?);
        if let Some(running) = &mut self.running
            && running.http.listen == http.listen
        {
            *running
                .gates
                .write()
                .unwrap_or_else(PoisonError::into_inner) = gate;
            running.http = http.clone();
            return Ok(());
        }
        let listener = self.bind(http.listen).await?;
        self.close().await;
        self.running = Some(self.start(http, gate, listener));
        Ok(())
    }

    /// Ends it, with what is under way.
    pub async fn close(&mut self) {
        if let Some(running) = self.running.take() {
            running.stop.cancel();
            // A panic in it ended the listening already.
            let _ = running.task.await;
        }
    }

    /// A listener there; where it stands in the way of itself, by the same port on another address, the old one ends
    /// first, and comes back if that was not the reason.
    async fn bind(&mut self, address: SocketAddr) -> Result<TcpListener, ServeError> {
        let fault = |reason| ServeError::Bind { address, reason };
        let reason = match TcpListener::bind(address).await {
            Ok(listener) => return Ok(listener),
            Err(reason) => reason,
        };
        let same_port = self.running.as_ref();
        let same_port = same_port.filter(|old| old.address.port() == address.port());
        let Some(old) = same_port.map(|old| (old.http.clone(), Arc::clone(&old.gates))) else {
            return Err(fault(reason));
        };
        self.close().await;
        let bound = TcpListener::bind(address).await;
        if bound.is_err()
            && let Ok(again) = TcpListener::bind(old.0.listen).await
        {
            let gate = Arc::clone(&old.1.read().unwrap_or_else(PoisonError::into_inner));
            self.running = Some(self.start(&old.0, gate, again));
        }
        bound.map_err(fault)
    }

    fn start(&self, http: &Http, gate: Arc<Gate>, listener: TcpListener) -> Running {
        let gates: Gates = Arc::new(RwLock::new(gate));
        let router = routes::router(Arc::clone(&self.desk), Arc::clone(&gates));
        let address = listener.local_addr().unwrap_or(http.listen);
        let stop = CancellationToken::new();
        let task = tokio::spawn(accept(listener, router, stop.clone()));
        tracing::info!("serving health, metrics and the dashboard at http://{address}/");
        Running {
            http: http.clone(),
            gates,
            address,
            stop,
            task,
        }
    }
}

fn gate_of(http: &Http) -> Result<Gate, ServeError> {
    let token = match &http.token {
        None => None,
        Some(place) => {
            let token = place.read(&|name| std::env::var_os(name))?;
            if token.expose_secret().trim().chars().count() < SHORTEST_TOKEN {
                return Err(ServeError::ShortToken(SHORTEST_TOKEN));
            }
            Some(gate::digest(&token))
        }
    };
    Ok(Gate {
        token,
        loopback: http.listen.ip().is_loopback(),
    })
}

async fn accept(listener: TcpListener, router: Router, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let connections = TaskTracker::new();
    loop {
        let next = async {
            // The semaphore is never closed.
            let place = Arc::clone(&places).acquire_owned().await.ok()?;
            Some((listener.accept().await, place))
        };
        let (accepted, place) = tokio::select! {
            () = stop.cancelled() => break,
            Some(next) = next => next,
        };
        match accepted {
            Ok((stream, _)) => {
                let (router, stop) = (router.clone(), stop.clone());
                connections.spawn(async move {
                    serve(stream, router, &stop).await;
                    drop(place);
                });
            }
            Err(fault) => {
                tracing::debug!(%fault, "no connection could be taken");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
    drop(listener);
    connections.close();
    // What is not done by then is cut.
    let _ = tokio::time::timeout(GRACE + GRACE, connections.wait()).await;
}

async fn serve(stream: TcpStream, router: Router, stop: &CancellationToken) {
    // Without it an answer may wait 40 ms for the reader's acknowledgement; where it fails, it just does.
    let _ = stream.set_nodelay(true);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_SIZE)
        .max_headers(HEADERS);
    let connection = http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut connection = pin!(connection);
    tokio::select! {
        // How a reader goes away is its own business.
        _ = connection.as_mut() => return,
        () = stop.cancelled() => {}
        () = tokio::time::sleep(LIFE) => {}
    }
    connection.as_mut().graceful_shutdown();
    let _ = tokio::time::timeout(GRACE, connection).await;
}
