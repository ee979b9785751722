# What Doxygen reads of a header: comments in its own form, and the results as an enum.
1s|^/\* ([a-z_.]+) - |/** @file \1\n * @brief |
s|^/\* ---- (.*[^ -]) -+ \*/|/** @name \1 */|
s|^/\* |/** |
s|^( +)/\* (.*)|\1/** \2|
s|([;,}]) +/\* |\1 /**< |
s|^(#define NXC_[A-Z_]+ .*[^ ]) +/\* |\1 /**< |
s|^#define NXC_RESULTS\(X\).*|/** Results: 0, above 0 with a remark, below 0 an error. */\ntypedef enum nxc_result {|
s|^  X\(([A-Z_]+), (-?[0-9]+), "(.*)"\) *\\?$|  NXC_\1 = \2, /**< \3 */|
/^typedef enum nxc_result \{$/d
/NXC__X|NXC_RESULTS\(/d
s#^( \*.*) (Any thread, |The loop's thread|One thread at a time, |The thread that created it, )#\1\n * @par Threads\n * \2#
