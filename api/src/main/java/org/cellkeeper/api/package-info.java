/** What a cell says over HTTP, as types shared by the cell and its callers. */
@NullMarked
package org.cellkeeper.api;

import org.jspecify.annotations.NullMarked;
