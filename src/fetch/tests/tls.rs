//! Servers with a certificate that only the feed's own `ca_file` vouches for.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::server::answer;
use super::*;

/// Answers one connection over TLS with `bytes`. Gives its address, and the certificate to trust in a file.
fn serve(bytes: Vec<u8>) -> (Url, tempfile::NamedTempFile) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let trusted = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(trusted.path(), made.cert.pem()).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        let session = ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = StreamOwned::new(session, socket);
        // A client that does not trust us hangs up here.
        if stream.read(&mut [0; 4096]).is_ok() {
            stream.write_all(&bytes).unwrap();
            stream.conn.send_close_notify();
            stream.flush().unwrap();
        }
    });
    let url = Url::parse(&format!("https://{address}/list.txt")).unwrap();
    (url, trusted)
}

async fn fetch_trusting(url: Url, trusted: &std::path::Path) -> Result<Fetched, FetchError> {
    let (fetcher, _dir) = fetcher();
    let mut source = HttpSource::from(url);
    source.ca_file = Some(trusted.to_owned());
    fetcher
        .fetch(
            &Source::Http(Box::new(source)),
            &Validators::default(),
            &limits(),
        )
        .await
}

#[tokio::test]
async fn a_feed_s_own_certificates_are_trusted_for_it_and_not_by_others() {
    let (url, trusted) = serve(answer("200 OK", "", b"198.51.100.1\n"));
    let fetched = fetch_trusting(url, trusted.path()).await.unwrap();
    assert!(matches!(fetched, Fetched::Body(body) if read(&body).unwrap() == b"198.51.100.1\n"));

    let (url, _) = serve(answer("200 OK", "", b""));
    let error = failure(url).await;
    assert!(matches!(error, FetchError::Tls { .. }), "{error}");
    assert!(error.to_string().contains("UnknownIssuer"), "{error}");
}

#[tokio::test]
async fn tls_is_not_given_up_on_the_way() {
    let headers = "Location: http://127.0.0.1:9/list.txt\r\n";
    let (url, trusted) = serve(answer("301 Moved", headers, b""));
    let error = fetch_trusting(url, trusted.path()).await.unwrap_err();
    assert!(matches!(error, FetchError::Downgrade { .. }), "{error}");
}

#[tokio::test]
async fn a_server_that_speaks_no_tls_is_told_as_such() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = Url::parse(&format!("https://{}/", listener.local_addr().unwrap())).unwrap();
    let talking = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        socket
            .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .unwrap();
        let _ = socket.read(&mut [0; 4096]);
    });
    let error = failure(url).await;
    assert!(matches!(error, FetchError::Tls { .. }), "{error}");
    talking.join().unwrap();
}
