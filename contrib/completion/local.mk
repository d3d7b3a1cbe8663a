# bash completion
completiondir = $(datadir)/bash-completion/completions
dist_completion_DATA = contrib/completion/postern
