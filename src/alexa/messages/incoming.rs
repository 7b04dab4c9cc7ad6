//! Reads what came in: a directive, an AASB message, or something that is neither.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use thiserror::Error;

use super::directive::{self, Addressed, Directive};
use super::field::{FieldFault, Fields, shown};
use super::message::{self, Message, UnusableMessage};
use super::unreadable;

/// Smart Home v3: 1 to 127 characters.
const LONGEST_MESSAGE_ID: usize = 127;

/// What a text frame was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A directive that we understand.
    Directive(Box<Received>),
    /// A directive that is to be answered with `INVALID_DIRECTIVE`.
    Invalid(Box<InvalidDirective>),
    /// An AASB message that we understand.
    Message(Message),
    /// An AASB `Reply`: accepted and ignored.
    Reply,
    /// An AASB message that cannot be used: logged and dropped, for AASB has no error message.
    Unusable(UnusableMessage),
    /// Nothing that could be answered: logged, counted and dropped.
    Unanswerable(Unanswerable),
}

/// A directive with what its event and its repeats need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// `header.messageId`, for logs.
    pub message_id: String,
    /// `header.namespace`.
    pub namespace: &'static str,
    /// `header.name`.
    pub name: &'static str,
    /// `header.correlationToken`, to be given back byte for byte.
    pub correlation_token: Option<String>,
    /// `endpoint.endpointId`.
    pub endpoint_id: Option<String>,
    /// What tells a repeat from a new directive.
    pub identity: Identity,
    /// What is asked.
    pub directive: Directive,
}

/// A directive that is malformed, or not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidDirective {
    /// `header.messageId`, where there is one.
    pub message_id: Option<String>,
    /// `header.correlationToken`, where there is one.
    pub correlation_token: Option<String>,
    /// What is wrong with it.
    pub fault: DirectiveFault,
}

/// What is wrong with a directive. As text it is the sentence of its ErrorResponse.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DirectiveFault {
    /// A field of it.
    #[error("{0}")]
    Field(#[from] FieldFault),
    /// There is no such directive.
    #[error("the directive {namespace}.{name} is not known")]
    NotKnown {
        /// `header.namespace`, fit for showing.
        namespace: String,
        /// `header.name`, fit for showing.
        name: String,
    },
    /// It is JSON, but holds something that cannot be read.
    #[error("the directive cannot be read: {0}")]
    Unreadable(String),
}

/// Why a frame cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Unanswerable {
    /// It is no JSON.
    #[error("it is no JSON: {0}")]
    NoJson(String),
    /// It is JSON, but no object.
    #[error("it is no JSON object")]
    NoObject,
    /// It is an object that holds no object under `directive` or `header`.
    #[error("it has neither an object `directive` nor an object `header`")]
    NeitherDirectiveNorHeader,
}

/// What tells a repeat from a new directive: messageId, namespace, name, endpointId and payload, as hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    /// Of the messageId alone.
    pub message: [u8; 8],
    /// Of all of it.
    pub whole: [u8; 16],
}

impl Identity {
    /// The identity of a directive.
    pub fn of(message_id: &str, namespace: &str, name: &str, endpoint_id: &str, payload: &str) -> Self {
        Self {
            message: hash([message_id]),
            whole: hash([message_id, namespace, name, endpoint_id, payload]),
        }
    }

    /// As it stands in a record: 24 bytes.
    pub fn to_bytes(self) -> impl Iterator<Item = u8> {
        self.message.into_iter().chain(self.whole)
    }

    /// Reads what [`Identity::to_bytes`] gave; `None` for any other length.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (message, whole) = bytes.split_first_chunk()?;
        Some(Self {
            message: *message,
            whole: whole.try_into().ok()?,
        })
    }
}

/// The first bytes of SHA-256 over the parts, each with its length before it.
fn hash<const PARTS: usize, const BYTES: usize>(parts: [&str; PARTS]) -> [u8; BYTES] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let digest = hasher.finalize();
    std::array::from_fn(|index| digest.get(index).copied().unwrap_or_default())
}

/// Reads a text frame. Of equal keys in one object the last counts.
pub fn read(text: &str) -> Incoming {
    match serde_json::from_str(text) {
        Ok(Value::Object(frame)) => read_frame(&frame),
        Ok(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            Incoming::Unanswerable(Unanswerable::NoObject)
        }
        Err(fault) => unreadable::read(text, &fault),
    }
}

fn read_frame(frame: &Map<String, Value>) -> Incoming {
    if let Some(Value::Object(directive)) = frame.get("directive") {
        return read_directive(directive);
    }
    match frame.get("header") {
        Some(Value::Object(_)) => message::read(&Fields::at_top(frame)),
        _ => Incoming::Unanswerable(Unanswerable::NeitherDirectiveNorHeader),
    }
}

fn read_directive(directive: &Map<String, Value>) -> Incoming {
    match understand(directive) {
        Ok(received) => Incoming::Directive(Box::new(received)),
        Err(fault) => {
            let in_header = |name| directive.get("header")?.get(name)?.as_str().map(str::to_owned);
            Incoming::Invalid(Box::new(InvalidDirective {
                message_id: in_header("messageId"),
                correlation_token: in_header("correlationToken"),
                fault,
            }))
        }
    }
}

fn understand(directive: &Map<String, Value>) -> Result<Received, DirectiveFault> {
    let fields = Fields::at_top(directive);
    let header = fields.object("header")?;
    let message_id = header.short_text("messageId", LONGEST_MESSAGE_ID)?;
    let (namespace, name) = (header.text("namespace")?, header.text("name")?);
    header.one_of("payloadVersion", |version| (version == "3").then_some(()))?;
    // The token is text of any kind, the empty one included: what came goes back.
    let correlation_token = header.any_text("correlationToken")?.map(str::to_owned);
    let row = directive::find(namespace, name).ok_or_else(|| DirectiveFault::NotKnown {
        namespace: shown(namespace),
        name: shown(name),
    })?;
    let endpoint_id = match row.addressed {
        Addressed::ToTheRoom => Some(fields.object("endpoint")?.text("endpointId")?),
        Addressed::ToNobody => None,
    };
    let payload = fields.object_or_empty("payload")?;
    let payload_text = directive.get("payload").map(Value::to_string).unwrap_or_default();
    Ok(Received {
        message_id: message_id.to_owned(),
        namespace: row.namespace,
        name: row.name,
        correlation_token,
        endpoint_id: endpoint_id.map(str::to_owned),
        identity: Identity::of(
            message_id,
            namespace,
            name,
            endpoint_id.unwrap_or_default(),
            &payload_text,
        ),
        directive: (row.read)(&payload)?,
    })
}
