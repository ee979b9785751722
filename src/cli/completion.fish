# Completion of nextcache for fish; installed as nextcache.fish where fish looks for it.
# The tool itself says what a word may become, so it is always what it has.

function __nextcache_complete
    set -l words (commandline -opc)
    set -l word (commandline -ct)
    for line in (command $words[1] complete $words[2..-1] "$word" 2>/dev/null)
        if test "$line" = :file
            __fish_complete_path "$word"
        else
            echo $line
        end
    end
end
complete -c nextcache -f -a '(__nextcache_complete)'
