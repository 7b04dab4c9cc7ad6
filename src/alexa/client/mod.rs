//! What is true of the AlexaClient: three small, independent machines.
