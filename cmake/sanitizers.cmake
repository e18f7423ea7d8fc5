# LORICA_SANITIZE is a list for -fsanitize ("address,undefined" or "thread"); empty builds without.
set(LORICA_SANITIZE "" CACHE STRING "Value for -fsanitize=, empty for none")
if(LORICA_SANITIZE)
  add_compile_options(-fsanitize=${LORICA_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all -O1)
  if(LORICA_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize=null)  # the actor framework's function-actor factory trips it
  endif()
  if(LORICA_SANITIZE MATCHES "thread")
    add_compile_options(-Wno-tsan)  # Asio's fences, which the sanitizer does not model; nothing of ours has any
    add_compile_options(-Wno-maybe-uninitialized)  # GCC 12 sees some in moved variants there
  endif()
  add_link_options(-fsanitize=${LORICA_SANITIZE})
endif()
