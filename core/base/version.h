/*
 * The program's version.
 */
#ifndef RB_BASE_VERSION_H
#define RB_BASE_VERSION_H

#define RB_VERSION "0.1.0"

#endif
