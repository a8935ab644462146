//! Asks a running agent, from another process on the same box.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::{Answer, MAX_ANSWER, Request};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// No socket, or nobody behind it.
    #[error("no agent runs on this box: start it")]
    NotRunning,
    #[error("this user may not ask the agent: run the command as root")]
    Forbidden,
    #[error("the agent does not answer")]
    Line(#[source] io::Error),
    #[error("the agent's answer cannot be read")]
    Answer(#[from] serde_json::Error),
    #[error("the agent refused: {0}")]
    Refused(String),
}

/// Asks the agent that works in the folder `data`. A refusal is an error.
pub fn ask(data: &Path, request: &Request, within: Duration) -> Result<Answer, AskError> {
    let mut stream = UnixStream::connect(super::socket(data)).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => AskError::NotRunning,
        io::ErrorKind::PermissionDenied => AskError::Forbidden,
        _ => AskError::Line(error),
    })?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    let mut asked = || {
        stream.set_read_timeout(Some(within))?;
        stream.set_write_timeout(Some(within))?;
        stream.write_all(&line)?;
        let mut answer = Vec::new();
        BufReader::new(&stream).take(MAX_ANSWER as u64).read_until(b'\n', &mut answer)?;
        io::Result::Ok(answer)
    };
    match serde_json::from_slice(&asked().map_err(AskError::Line)?)? {
        Answer::Refused { reason } => Err(AskError::Refused(reason)),
        answer => Ok(answer),
    }
}
