"""The web chat: one page, server-sent events, and a cookie that says who asks. Knows starlette and uvicorn, nothing of painting."""
