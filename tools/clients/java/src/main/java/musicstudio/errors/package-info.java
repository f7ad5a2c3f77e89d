/** What the client throws: an exception per error code, below one per type. */
package musicstudio.errors;
