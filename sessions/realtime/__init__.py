"""The OpenAI Realtime protocol and the troupe tier, as plain objects: no socket, no database, no clock."""
