"""The web chat: one page, server-sent events, and a cookie that identifies the user. Knows starlette and uvicorn, nothing of generation."""
