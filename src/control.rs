//! What the commands `meetd status`, `join` and `end` ask of the running daemon over its control socket, and what
//! it answers: one JSON object a line each way.
