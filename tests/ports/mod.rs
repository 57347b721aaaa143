//! Ports of the loopback at which nobody listens, for those who must know beforehand where they will.

use tokio::net::TcpSocket;

/// Ports that are kept. Whoever is told of one can listen there, and until somebody does, dials it in
/// vain. Whoever asks for any port is given another: a port that had only been found to be free might
/// be given to somebody else meanwhile.
pub struct Ports(Vec<TcpSocket>);

impl Ports {
    pub fn keep(count: usize) -> Self {
        let keep = |_| {
            let socket = TcpSocket::new_v4().expect("a socket");
            // Others may listen where nobody does yet.
            socket.set_reuseaddr(true).expect("a fresh socket can be told so");
            socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
            socket
        };
        Self((0..count).map(keep).collect())
    }

    /// Where they are, as `host:port`.
    pub fn endpoints(&self) -> Vec<String> {
        let endpoint = |socket: &TcpSocket| socket.local_addr().expect("it is bound").to_string();
        self.0.iter().map(endpoint).collect()
    }
}
