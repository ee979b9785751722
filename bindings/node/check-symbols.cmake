# Fails when the addon needs a symbol that neither node nor libc has.
execute_process(COMMAND ${NM} -D --undefined-only ${ADDON}
  OUTPUT_VARIABLE symbols RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "nm cannot read ${ADDON}")
endif()
string(REGEX MATCHALL " U [^\n@]+" undefined "${symbols}\n")
# musl gives its symbols no versions: there LIBC is asked what it has.
if(LIBC)
  execute_process(COMMAND ${NM} -D --defined-only ${LIBC} OUTPUT_VARIABLE unversioned)
endif()
foreach(line IN LISTS undefined)
  string(STRIP "${line}" name)
  string(REGEX REPLACE "^U " "" name "${name}")
  # Versioned symbols (name@GLIBC_2.34) come from libc, libm and the loader.
  if(NOT name MATCHES "^(napi_|node_api_|uv_)" AND NOT symbols MATCHES " U ${name}@GLIBC"
      AND NOT symbols MATCHES " U ${name}@GCC" AND NOT unversioned MATCHES " [TWDBVR] ${name}\n")
    list(APPEND strangers ${name})
  endif()
endforeach()
if(strangers)
  list(JOIN strangers ", " text)
  message(FATAL_ERROR "The addon needs symbols that node does not have: ${text}")
endif()
