//! Connections that can be cut from behind the HTTP server, which by itself always answers.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

const WHOLE: u8 = 0;
const CLOSED: u8 = 1;
const RESET: u8 = 2;

/// A listener whose connections carry a [`Cutter`].
#[derive(Debug)]
pub(super) struct Wires {
    listener: TcpListener,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    cutter: Cutter,
}

/// The means to cut one connection; what is written after the cut never leaves.
#[derive(Clone, Debug, Default)]
pub(super) struct Cutter(Arc<AtomicU8>);

impl Wires {
    pub(super) fn new(listener: TcpListener) -> Self {
        Self { listener }
    }
}

impl Cutter {
    /// The connection ends in order, without an answer.
    pub(super) fn close(&self) {
        self.0.store(CLOSED, Ordering::SeqCst);
    }

    /// The connection is torn down.
    pub(super) fn reset(&self) {
        self.0.store(RESET, Ordering::SeqCst);
    }

    fn state(&self) -> u8 {
        self.0.load(Ordering::SeqCst)
    }
}

impl Listener for Wires {
    type Io = Wire;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Wire, SocketAddr) {
        // axum's own accept waits and tries again when the system has no more handles.
        let (stream, address) = Listener::accept(&mut self.listener).await;
        // Without it an answer may wait 40 ms for the client's acknowledgement; where it fails, it just does.
        let _ = stream.set_nodelay(true);
        let cutter = Cutter::default();
        (Wire { stream, cutter }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Connected<IncomingStream<'_, Wires>> for Cutter {
    fn connect_info(incoming: IncomingStream<'_, Wires>) -> Self {
        incoming.io().cutter.clone()
    }
}

impl Wire {
    fn cut(&self) -> Option<io::Error> {
        match self.cutter.state() {
            WHOLE => None,
            state => {
                if state == RESET {
                    // With no time to linger, closing sends a reset; where it cannot be set, the end is in order.
                    let _ = self.stream.set_zero_linger();
                }
                Some(io::ErrorKind::ConnectionAborted.into())
            }
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.cut() {
            Some(end) => Poll::Ready(Err(end)),
            None => Pin::new(&mut self.stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// An orderly end would run ahead of the reset.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.cut() {
            Some(_) => Poll::Ready(Ok(())),
            None => Pin::new(&mut self.stream).poll_shutdown(cx),
        }
    }
}
