//! A Service's address: each new connection goes to one of the pods that are ready.

use std::thread::{self, JoinHandle};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;

/// Listens on one address and port until it is dropped.
#[derive(Debug)]
pub struct Balancer {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Balancer {
    /// Starts on `address`. `choose` tells the addresses of the pods that are ready, or nothing when all is over.
    pub fn start(address: &str, choose: impl Fn() -> Option<Vec<String>> + Send + 'static) -> Balancer {
        let address = address.to_owned();
        let (stop, stopped) = oneshot::channel();
        // A runtime of its own, as for the tests' proxy.
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.expect("a runtime can be built");
            runtime.block_on(async {
                tokio::select! {
                    () = serve(listen(&address), choose) => {}
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        });
        Balancer { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.stop.take().map(|stop| stop.send(()));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn listen(address: &str) -> TcpListener {
    let socket = TcpSocket::new_v4().expect("a socket can be made");
    socket.set_reuseaddr(true).expect("an unbound socket takes options");
    socket.bind(address.parse().expect("an address")).unwrap_or_else(|error| panic!("{address}: {error}"));
    socket.listen(4096).expect("a bound socket can listen")
}

async fn serve(listener: TcpListener, choose: impl Fn() -> Option<Vec<String>>) {
    let mut turn = 0_usize;
    loop {
        let Ok((mut client, _)) = listener.accept().await else { continue };
        let Some(pods) = choose() else { return };
        turn = turn.wrapping_add(1);
        // A Service without ready pods refuses connections.
        let Some(pod) = (!pods.is_empty()).then(|| pods[turn % pods.len()].clone()) else { continue };
        tokio::spawn(async move {
            let Ok(mut server) = TcpStream::connect(&pod).await else { return };
            let (_, _) = (client.set_nodelay(true), server.set_nodelay(true));
            // How a connection ends is between the two ends.
            let _ = copy_bidirectional(&mut client, &mut server).await;
        });
    }
}
