//! Whether the AlexaClient is authorised.
//!
//! ```text
//!   UNINITIALIZED <──> REFRESHED <──> EXPIRED, UNRECOVERABLE_ERROR
//! ```
//! Each arrow is taken on the bridge's word; the same state and error again are no change.

use crate::alexa::messages::auth_state::{AuthError, AuthState, AuthStatus};

/// The authorisation.
#[derive(Clone, Debug)]
pub struct Auth {
    current: AuthStatus,
}

impl Auth {
    /// UNINITIALIZED/NO_ERROR: nobody has judged our token yet.
    pub fn new() -> Self {
        Self {
            current: AuthStatus {
                state: AuthState::Uninitialized,
                error: AuthError::NoError,
            },
        }
    }

    /// Takes what has become true; gives it back when it is a change.
    pub fn change(&mut self, next: AuthStatus) -> Option<AuthStatus> {
        if self.current == next {
            return None;
        }
        tracing::debug!(
            "auth: {}/{} -> {}/{}",
            self.current.state.name(),
            self.current.error.name(),
            next.state.name(),
            next.error.name(),
        );
        self.current = next;
        Some(next)
    }

    /// What is true.
    pub fn current(&self) -> AuthStatus {
        self.current
    }
}

impl Default for Auth {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_and_error_change_on_their_own() {
        let mut auth = Auth::new();
        assert_eq!(
            auth.change(status(AuthState::Uninitialized, AuthError::NoError)),
            None
        );
        for next in [
            status(AuthState::Uninitialized, AuthError::InvalidRequest),
            status(AuthState::Refreshed, AuthError::NoError),
            status(AuthState::Expired, AuthError::AuthorizationExpired),
        ] {
            assert_eq!(auth.change(next), Some(next));
            assert_eq!(auth.change(next), None);
            assert_eq!(auth.current(), next);
        }
    }

    fn status(state: AuthState, error: AuthError) -> AuthStatus {
        AuthStatus { state, error }
    }
}
