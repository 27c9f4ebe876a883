"""Work that is asked for and done later, in turns: a queue in SQLite, jobs that tell how far they are and end in every
way, and bounds on what strangers give. The studio and the job server share it."""
