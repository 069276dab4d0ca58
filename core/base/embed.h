/* Files of the source tree that the program contains. */
#ifndef RB_BASE_EMBED_H
#define RB_BASE_EMBED_H

/* Defines the string `symbol` with the bytes of `file`, a path in the source tree. The object file
 * has to be built again when that changes: the Makefile lists it. */
#define RB_EMBED(symbol, file)                                                                     \
    __asm__(".pushsection .rodata\n" #symbol ":\n.incbin \"" file "\"\n.byte 0\n.popsection\n");   \
    extern const char symbol[]

#endif
