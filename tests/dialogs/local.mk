# golden transcripts
