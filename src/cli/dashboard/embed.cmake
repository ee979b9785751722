# embed.cmake - writes files into a C source: cmake -DOUT=... -DFILES=... -P embed.cmake
#
# FILES is a list of <path served>|<file>. CMake reads them itself, so that building
# needs no further tool.
set(type_html "text/html; charset=utf-8")
set(type_css "text/css; charset=utf-8")
set(type_js "text/javascript; charset=utf-8")
set(type_txt "text/plain; charset=utf-8")
set(type_svg "image/svg+xml")
set(arrays "")
set(rows "")
set(n 0)
foreach(entry IN LISTS FILES)
  string(REPLACE "|" ";" parts "${entry}")
  list(GET parts 0 path)
  list(GET parts 1 file)
  string(REGEX REPLACE ".*\\." "" extension "${path}")
  file(READ "${file}" hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(APPEND arrays "static const unsigned char bytes_${n}[] = {${bytes}0};\n")
  string(APPEND rows "    {\"${path}\", \"${type_${extension}}\", bytes_${n}, sizeof bytes_${n} - 1},\n")
  math(EXPR n "${n} + 1")
endforeach()
file(WRITE "${OUT}" "#include \"assets.h\"\n${arrays}const cli_asset cli_assets[] = {\n${rows}    {0},\n};\n")
