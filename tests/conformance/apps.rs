//! What the workers run.

/// Answers every request at once, on a port of the primary's choice.
pub const SERVER: &str = "
    require('http').createServer((request, response) => response.end('served'))
        .listen(0, '127.0.0.1');
";

/// Answers requests when the primary says `go`, and tells when one has come.
pub const SLOW_SERVER: &str = "
    const server = require('http').createServer((request, response) => {
        process.send('asked');
        process.once('message', () => response.end('served'));
    });
    server.listen(0, '127.0.0.1');
";

/// Does nothing, which a cluster worker does until it is told to disconnect.
pub const IDLE: &str = "process.send('up');";
