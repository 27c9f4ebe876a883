"""`fye serve`: an HTTP API that takes jobs, has processes of this machine do them, and gives the results.

The web process takes uploads, keeps the queue and answers; it imports no torch and opens no upload, so that it answers
while others work and outlives what a file does to them. `routes` is what may be asked of it, `worker` what does a job,
and `supervisor` sees that there are workers.
"""
