// Completion scripts for bash, zsh and fish: each asks the command itself what may come next.

/** Scripts by shell. */
export const COMPLETION_SCRIPTS: Readonly<Record<string, string>> = {
	bash: `_virtkit() {
	local IFS=$'\\n'
	COMPREPLY=($(virtkit complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
	[ \${#COMPREPLY[@]} -gt 0 ] || COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o filenames -F _virtkit virtkit
`,
	zsh: `#compdef virtkit
_virtkit() {
	local -a candidates
	candidates=("\${(@f)$(virtkit complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
	if [[ -n "\${candidates[*]}" ]]; then compadd -a candidates; else _files; fi
}
compdef _virtkit virtkit
`,
	fish: `function __virtkit_complete
	set -l words (commandline -opc) (commandline -ct)
	virtkit complete -- $words[2..-1] 2>/dev/null
end
complete -c virtkit -a '(__virtkit_complete)'
`,
};
