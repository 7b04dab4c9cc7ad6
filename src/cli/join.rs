//! `meetd join`: joins a meeting, as the directive does.

use std::io::Read;

use clap::Args;

use super::control_socket::{self, ControlError};
use super::{Exit, Options, terminal};
use crate::control::{Join, Reply, Request};
use crate::secret::Secret;

/// The longest PIN that is read, in bytes. The daemon takes 32 characters; spaces and dashes come on top.
const LONGEST_PIN: u64 = 1024;

/// The meeting.
#[derive(Args, Clone, Debug)]
pub(super) struct Arguments {
    /// Whom to call: HOST, HOST:PORT, USER@HOST, a sip:, sips: or h323: URI, or tel:+NUMBER
    #[arg(long)]
    endpoint: String,
    /// SIP, SIPS or H323
    #[arg(long)]
    protocol: String,
    /// The meeting's id
    #[arg(long)]
    id: Option<String>,
    /// Read the meeting's PIN from standard input, where no other user sees it
    #[arg(long)]
    pin_stdin: bool,
    /// The provider, whose templates say what is dialled
    #[arg(long, default_value = "custom")]
    provider: String,
    /// Only say what would be dialled and why it may
    #[arg(long)]
    dry_run: bool,
}

/// Joins, and says in one line what the event would say; 1 when it is refused.
pub(super) fn run(options: &Options, arguments: Arguments) -> Exit {
    let pin = if arguments.pin_stdin {
        match read_pin(std::io::stdin().lock()) {
            Ok(pin) => pin,
            Err(why) => {
                terminal::complain(&why);
                return Exit::Failed;
            }
        }
    } else {
        None
    };
    let request = Request::Join(Join {
        endpoint: arguments.endpoint,
        protocol: arguments.protocol,
        provider: arguments.provider,
        id: arguments.id.filter(|id| !id.is_empty()),
        pin,
        dry_run: arguments.dry_run,
    });
    tell(control_socket::ask(options, &request))
}

/// Says what became of a join or an end.
pub(super) fn tell(answer: Result<Reply, ControlError>) -> Exit {
    match answer {
        Ok(Reply::Done { sentence }) => {
            terminal::say(&sentence);
            Exit::Done
        }
        Ok(Reply::Refused { kind, message }) => {
            terminal::say(&format!("{kind}: {message}"));
            Exit::Failed
        }
        Ok(Reply::NotUnderstood { message }) => {
            terminal::complain(&format!("the daemon did not understand: {message}"));
            Exit::Failed
        }
        Ok(Reply::Status(_) | Reply::Metrics { .. }) => {
            terminal::complain("the daemon answered something else");
            Exit::Failed
        }
        Err(error) => {
            terminal::complain(&error.to_string());
            error.exit()
        }
    }
}

/// One line; nothing on it is no PIN.
fn read_pin(input: impl Read) -> Result<Option<Secret>, String> {
    let mut text = String::new();
    input
        .take(LONGEST_PIN + 1)
        .read_to_string(&mut text)
        .map_err(|error| format!("the PIN cannot be read from standard input: {error}"))?;
    if text.len() as u64 > LONGEST_PIN {
        return Err("what standard input holds is too long for a PIN".to_owned());
    }
    let pin = text.trim_end_matches(['\r', '\n']);
    Ok((!pin.is_empty()).then(|| Secret::new(pin)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_is_read_as_it_is_typed() {
        assert_eq!(read_pin(&b"0012345\n"[..]), Ok(Some(Secret::new("0012345"))));
        assert_eq!(read_pin(&b"001 2345"[..]), Ok(Some(Secret::new("001 2345"))));
        assert_eq!(read_pin(&b"\n"[..]), Ok(None));
    }

    #[test]
    fn what_is_no_pin_is_refused_without_being_shown() {
        let long = read_pin(&[b'7'; 2000][..]);
        assert!(matches!(&long, Err(why) if !why.contains("77")), "{long:?}");
        assert!(read_pin(&b"\xff"[..]).is_err());
    }
}
