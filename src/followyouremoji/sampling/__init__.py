"""From noise to latents: schedule, guidance, the progressive plan over frames and overlapping windows (Sec. 3.3)."""
