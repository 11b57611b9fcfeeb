# Adds what the compiler and the linker here can do against an error that is exploited to the flags
# of a target. Each is tried first, so that a compiler which lacks one builds without it.
#
# _FORTIFY_SOURCE is left alone where the compiler or the flags of whoever builds define it (a
# distribution does), and under a sanitizer, which sees less through the checked functions.

include(CheckCCompilerFlag)
include(CheckCSourceCompiles)
include(CheckLinkerFlag)
include(CheckPIESupported)

# Leaves in FORTIFY the level that fits, or nothing.
function(bb_fortify_level)
    set(CMAKE_REQUIRED_FLAGS "-O2 -Werror")
    set(source "#include <stdio.h>\nint main(void) { return 0; }")
    check_c_source_compiles("#ifdef _FORTIFY_SOURCE\n#error\n#endif\n${source}" BB_FORTIFY_IS_OPEN)
    foreach(level 3 2)
        if(BB_FORTIFY_IS_OPEN AND NOT fortify)
            check_c_source_compiles("#define _FORTIFY_SOURCE ${level}\n${source}" BB_FORTIFY_${level})
            if(BB_FORTIFY_${level})
                set(fortify ${level})
            endif()
        endif()
    endforeach()
    set(FORTIFY "${fortify}" PARENT_SCOPE)
endfunction()

function(bb_harden target)
    set(CMAKE_REQUIRED_FLAGS -Werror) # Clang only warns of what it has no use for
    foreach(flag -fstack-protector-strong -fstack-clash-protection -fcf-protection=full
                 -mbranch-protection=standard)
        string(MAKE_C_IDENTIFIER "BB_HAS${flag}" has)
        check_c_compiler_flag(${flag} ${has})
        if(${has})
            target_compile_options(${target} INTERFACE ${flag})
        endif()
    endforeach()
    foreach(flag relro now noexecstack)
        check_linker_flag(C -Wl,-z,${flag} BB_LINKS_${flag})
        if(BB_LINKS_${flag})
            target_link_options(${target} INTERFACE -Wl,-z,${flag})
        endif()
    endforeach()

    bb_fortify_level()
    if(FORTIFY AND NOT BB_WEBHOOK_SANITIZE) # it needs an optimising compiler
        target_compile_definitions(${target} INTERFACE
            $<$<CONFIG:Release,RelWithDebInfo,MinSizeRel>:_FORTIFY_SOURCE=${FORTIFY}>)
    endif()
endfunction()

if(BB_WEBHOOK_HARDEN)
    bb_harden(bb_flags)
    check_pie_supported(LANGUAGES C) # so that the property below is the linker's too
    set(CMAKE_POSITION_INDEPENDENT_CODE ON)
endif()
