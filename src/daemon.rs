//! The only loop: wait for a wake, feed the agent, carry out its effects in order.
