//! The names of headers, long and compact, and the rsip header that each of them is.

use rsip::Header;
use rsip::headers::UntypedHeader;

/// The one table: rsip's variant and the canonical name. What is not in it is an `Other` under its own name.
macro_rules! known_headers {
    ($($variant:ident = $name:literal,)*) => {
        /// Builds the header of this canonical name.
        pub(super) fn build(name: &str, value: String) -> Header {
            match name {
                $($name => Header::$variant(rsip::headers::$variant::new(value)),)*
                _ => Header::Other(name.to_owned(), value),
            }
        }

        /// The canonical name and the value.
        pub(super) fn parts(header: &Header) -> (&str, &str) {
            match header {
                $(Header::$variant(inner) => ($name, inner.value()),)*
                Header::Other(name, value) => (name, value),
            }
        }

        /// A name that is spelled as its RFC does.
        fn as_spelled(name: &str) -> Option<&'static str> {
            match name {
                $($name => Some($name),)*
                _ => None,
            }
        }

        const KNOWN: &[&str] = &[$($name,)*];
    };
}

known_headers! {
    Via = "Via",
    From = "From",
    To = "To",
    CallId = "Call-ID",
    CSeq = "CSeq",
    Contact = "Contact",
    MaxForwards = "Max-Forwards",
    ContentType = "Content-Type",
    ContentLength = "Content-Length",
    Route = "Route",
    RecordRoute = "Record-Route",
    Allow = "Allow",
    Supported = "Supported",
    Require = "Require",
    UserAgent = "User-Agent",
    Server = "Server",
    Accept = "Accept",
    AcceptEncoding = "Accept-Encoding",
    AcceptLanguage = "Accept-Language",
    AlertInfo = "Alert-Info",
    AuthenticationInfo = "Authentication-Info",
    Authorization = "Authorization",
    CallInfo = "Call-Info",
    ContentDisposition = "Content-Disposition",
    ContentEncoding = "Content-Encoding",
    ContentLanguage = "Content-Language",
    Date = "Date",
    ErrorInfo = "Error-Info",
    Event = "Event",
    Expires = "Expires",
    InReplyTo = "In-Reply-To",
    MimeVersion = "MIME-Version",
    MinExpires = "Min-Expires",
    Organization = "Organization",
    Priority = "Priority",
    ProxyAuthenticate = "Proxy-Authenticate",
    ProxyAuthorization = "Proxy-Authorization",
    ProxyRequire = "Proxy-Require",
    ReplyTo = "Reply-To",
    RetryAfter = "Retry-After",
    Subject = "Subject",
    SubscriptionState = "Subscription-State",
    Timestamp = "Timestamp",
    Unsupported = "Unsupported",
    Warning = "Warning",
    WwwAuthenticate = "WWW-Authenticate",
}

/// Headers that we use and rsip does not know.
const OTHERS: &[&str] = &[
    "Allow-Events",
    "Min-SE",
    "RAck",
    "RSeq",
    "Reason",
    "Refer-To",
    "Referred-By",
    "Replaces",
    "Session-Expires",
];

/// The canonical spelling of a name: compact forms in full, known ones in the case of their RFC, others as they are.
pub(super) fn canonical(name: &str) -> &str {
    let name = in_full(name);
    let is_it = |known: &&&str| is_same(known, name);
    as_spelled(name).unwrap_or_else(|| KNOWN.iter().chain(OTHERS).find(is_it).copied().unwrap_or(name))
}

/// The name that a compact form stands for; any other as it is.
pub(super) fn in_full(name: &str) -> &str {
    match name.as_bytes() {
        [letter] => expand(*letter).unwrap_or(name),
        _ => name,
    }
}

/// Whether two names in full are the same.
pub(super) fn is_same(one: &str, other: &str) -> bool {
    one.len() == other.len() && one.eq_ignore_ascii_case(other)
}

/// Every canonical name.
#[cfg(test)]
pub(super) fn all() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().chain(OTHERS).copied()
}

/// The compact forms of the IANA registry.
fn expand(letter: u8) -> Option<&'static str> {
    Some(match letter.to_ascii_lowercase() {
        b'a' => "Accept-Contact",
        b'b' => "Referred-By",
        b'c' => "Content-Type",
        b'd' => "Request-Disposition",
        b'e' => "Content-Encoding",
        b'f' => "From",
        b'i' => "Call-ID",
        b'j' => "Reject-Contact",
        b'k' => "Supported",
        b'l' => "Content-Length",
        b'm' => "Contact",
        b'n' => "Identity-Info",
        b'o' => "Event",
        b'r' => "Refer-To",
        b's' => "Subject",
        b't' => "To",
        b'u' => "Allow-Events",
        b'v' => "Via",
        b'x' => "Session-Expires",
        b'y' => "Identity",
        _ => return None,
    })
}
